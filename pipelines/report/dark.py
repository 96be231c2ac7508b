"""The page in the dark: by style alone every colour of charts, legends and swatches gives way to one for the dark ground."""

import json
import re
from collections.abc import Iterable, Sequence

from pipelines.colours import NO_SCORE, TILE_DEEP, TILE_PALE, on_dark
from pipelines.report.section import Section

KEPT = (NO_SCORE, TILE_PALE, TILE_DEEP)


def dark_rules(sections: Sequence[Section]) -> str:
    """A style sheet for dark screens: paper and the files of figures stay as they are."""
    rules = "\n".join(_rule(shade, on_dark(shade)) for shade in shades(sections) if shade not in KEPT)
    return f"@media screen and (prefers-color-scheme: dark) {{\n{rules}\n}}"


def shades(sections: Iterable[Section]) -> list[str]:
    """Every colour (#rrggbb) that charts, legends and tables name, as they write it."""
    found = set[str]()
    for section in sections:
        for chart in section.charts:
            found.update(re.findall(r'"(#[0-9A-Fa-f]{6})"', json.dumps(chart.spec)))
        found.update(style.colour for _, style in section.legend)
        found.update(entry.colour for table in section.tables for row in table.rows for entry in row if entry.colour)
    return sorted(found)


def _rule(shade: str, twin: str) -> str:
    """Vega writes colours as attributes, which any rule goes before."""
    drawn = ":is(.chart, .legend)"
    return (
        f'{drawn} [fill="{shade}"] {{ fill: {twin}; }} {drawn} [stroke="{shade}"] {{ stroke: {twin}; }} '
        f'.swatch[style$="{shade}"] {{ background: {twin} !important; }}'
    )
