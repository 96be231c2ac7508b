"""The report as one HTML file that loads nothing from outside, and its figures as SVG and PDF."""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from pipelines.advice import typed
from pipelines.files import replacing, write_text
from pipelines.report.answer import Answer
from pipelines.report.charts import Spec, side_by_side
from pipelines.report.dark import dark_rules
from pipelines.report.missing import Missing
from pipelines.report.parts import parts
from pipelines.report.section import Chart, Section
from pipelines.report.study import Results
from pipelines.report.summary import Fact
from pipelines.report.templates import template
from pipelines.report.verdicts import Told

MOST_STILL_BYTES = 300_000
"""Of a still picture as SVG; the heat maps of 18 methods took 7 MB, of a page that has to stay under 10."""


@dataclass(frozen=True)
class Head:
    """What stands above the sections, in this order, but for the claims with their numbers, which the answer folds, and the
    facts: they open the provenance. ``reproduced``: a sentence on published figures, or nothing."""

    answer: Answer
    reproduced: str
    claims: Sequence[Told]
    missing: Sequence[Missing]
    warnings: Sequence[str]
    facts: Sequence[Fact]


def render_page(
    results: Results, head: Head, sections: Sequence[Section], templates: Path, figures: Iterable[Path]
) -> str:
    """The HTML text. The same study gives the same bytes. figures: those of ``write_figures``, for who runs no scripts."""
    shown = parts(sections)
    drawn = [chart for part in shown for section in part.sections for chart in section.charts]
    return template(templates, "report.html.j2").render(
        results=results,
        head=head,
        repair=typed("repair", results.file or results.study),
        parts=shown,
        style=(templates / "report.css").read_text(encoding="utf-8"),
        dark=dark_rules(sections),
        folds=(templates / "folds.js").read_text(encoding="utf-8"),
        script=(templates / "report.js").read_text(encoding="utf-8"),
        tables=(templates / "tables.js").read_text(encoding="utf-8"),
        stills={path.stem: address(path) for path in figures if path.suffix == ".svg"},
        bundle=_bundle() if drawn else "",
        specs=_inline([packed(chart.spec) for chart in drawn]),
    )


def write_figures(sections: Sequence[Section], folder: Path) -> list[Path]:
    """One SVG and one PDF a section with charts, in ``folder``; the paths."""
    written = []
    for section in sections:
        if section.charts:
            svg = vl_convert.vegalite_to_svg(_figure(section.charts))
            written.append(folder / f"{section.name}.svg")
            write_text(written[-1], svg)
            written.append(written[-1].with_suffix(".pdf"))
            with replacing(written[-1]) as part:
                part.write_bytes(vl_convert.svg_to_pdf(svg))
    return written


def packed(spec: Spec) -> Spec:
    """A spec for the page: without legends (the page has its own), and with its data sets as columns.

    A data set is {"columns", "levels", "rows"}, text given as an index into its column's levels: a row object a point
    would triple the page. The page's script turns them back.
    """
    short = {key: value for key, value in spec.items() if key not in ("$schema", "datasets", "config")}
    look = {name: value for name, value in spec.get("config", {}).items() if name != "legend"}
    datasets = {name: _columns(rows) for name, rows in spec.get("datasets", {}).items()}
    return {**_without_legends(short), "config": look, "datasets": datasets}


def _without_legends(value: Any) -> Any:
    """The same spec with every encoding's legend off."""
    if isinstance(value, dict):
        return {key: None if key == "legend" else _without_legends(inner) for key, inner in value.items()}
    return [_without_legends(inner) for inner in value] if isinstance(value, list) else value


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(rows[0]) if rows else []
    levels = {name: list(dict.fromkeys(row[name] for row in rows)) for name in names if isinstance(rows[0][name], str)}
    index = {name: {level: number for number, level in enumerate(values)} for name, values in levels.items()}
    short = [[index[name][row[name]] if name in index else row[name] for name in names] for row in rows]
    return {"columns": names, "levels": levels, "rows": short}


def _figure(drawn: Sequence[Chart]) -> Spec:
    return side_by_side([(chart.title, chart.spec) for chart in drawn])


def address(svg: Path) -> str:
    """The picture itself as an address; one that draws thousands of marks as pixels, which are fewer bytes."""
    kind, data = "svg+xml", svg.read_bytes()
    if len(data) > MOST_STILL_BYTES:
        kind, data = "png", _few_colours(vl_convert.svg_to_png(data.decode(), scale=1))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from the installed package."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;")).replace("</script", "<\\/script")


def _inline(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _few_colours(png: bytes) -> bytes:
    """The same picture in 256 colours, a fifth of the bytes. An octree keeps those of a few small marks."""
    with Image.open(io.BytesIO(png)) as image:
        drawn = image.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE)
    out = io.BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return out.getvalue()
