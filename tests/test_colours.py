"""Colours of methods."""

import re
from pathlib import Path

from pipelines.colours import (
    _FIXED,
    DARK,
    GRID,
    INK,
    PALETTE,
    PAPER,
    RULE,
    colour,
    contrast,
    luminance,
    on_dark,
    ramp,
    styles,
)
from pipelines.report.floors import CHANCE
from pipelines.spec.row_name import of_method, of_pixels, of_untrained

ROOT = Path(__file__).parents[1]


def test_a_colour_depends_on_the_method_alone() -> None:
    point, tuned = of_method("moco_v2", {"temperature": "0.1"}), of_method("moco_v2", {}, tuned=True)
    assert (point.label, tuned.label) == ("moco_v2[temperature=0.1]", "moco_v2_tuned")
    assert colour("moco_v2") == colour(point.method) == colour(tuned.method)
    assert colour("moco_v2") != colour("moco_v2_ft")
    assert colour("something_of_mine") == colour("something_of_mine")


def test_every_colour_is_visible_on_white() -> None:
    for shade in {*PALETTE, *_FIXED.values()}:
        assert re.fullmatch("#[0-9A-F]{6}", shade)
        assert contrast(shade, PAPER) >= 3.0, shade
        assert contrast(on_dark(shade), DARK) >= 3.0, shade


def test_in_the_dark_text_can_be_read_and_a_grid_keeps_back() -> None:
    css = (ROOT / "reports" / "templates" / "report.css").read_text(encoding="utf-8")
    assert f"--paper: {DARK.lower()};" in css
    assert contrast(on_dark(INK), DARK) > 7 < contrast(INK, PAPER)
    assert contrast(on_dark(GRID), DARK) < 2 > contrast(GRID, PAPER)
    assert contrast(on_dark(RULE), DARK) > 3 < contrast(RULE, PAPER)


def test_in_the_dark_colours_stay_different_and_in_their_order() -> None:
    shades = {*PALETTE, *_FIXED.values()}
    assert len({on_dark(shade) for shade in shades}) == len(shades)
    twins = [on_dark(shade) for shade in ramp(8)]
    assert sorted(twins, key=luminance) == twins
    assert all(contrast(twin, DARK) >= 3 for twin in twins)
    assert all(contrast(on_dark(f"#{grey:02X}{grey:02X}{grey:02X}"), DARK) >= 3 for grey in range(220))


def test_no_two_labels_of_a_study_look_alike() -> None:
    labels = [f"moco_v2[temperature={t}]" for t in (0.1, 0.2, 0.5)] + ["moco_v2_tuned"]
    methods = {name: name for name in (*_FIXED, "mine")} | dict.fromkeys(labels, "moco_v2")
    found = styles(methods)
    assert list(found) == list(methods)
    assert len(set(found.values())) == len(methods)
    dots = [(style.colour, style.shape) for style in found.values()]
    assert len(set(dots)) == len(methods)


def test_a_named_method_looks_the_same_whatever_stands_beside_it() -> None:
    names = list(_FIXED)
    together = styles({name: name for name in names})
    alone = {name: styles({name: name})[name] for name in names}
    assert together == alone == styles({name: name for name in reversed(names)})


def test_floors_have_greys_of_their_own_whatever_tables_call_them() -> None:
    greys = {colour(of_pixels().method), colour(of_untrained("resnet18").method), colour(CHANCE.method)}
    assert len(greys) == 3
    assert not greys & set(PALETTE)
