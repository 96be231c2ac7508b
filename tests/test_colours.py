"""Colours of methods."""

import re

from pipelines.colours import _FIXED, PALETTE, colour, styles
from pipelines.report.floors import CHANCE
from pipelines.spec.row_name import of_method, of_pixels, of_untrained


def luminance(shade: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    parts = [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_colour_depends_on_the_method_alone() -> None:
    point, tuned = of_method("moco_v2", {"temperature": "0.1"}), of_method("moco_v2", {}, tuned=True)
    assert (point.label, tuned.label) == ("moco_v2[temperature=0.1]", "moco_v2_tuned")
    assert colour("moco_v2") == colour(point.method) == colour(tuned.method)
    assert colour("moco_v2") != colour("moco_v2_ft")
    assert colour("something_of_mine") == colour("something_of_mine")


def test_every_colour_is_visible_on_white() -> None:
    for shade in {*PALETTE, *_FIXED.values()}:
        assert re.fullmatch("#[0-9A-F]{6}", shade)
        assert 1.05 / (luminance(shade) + 0.05) >= 3.0, shade


def test_no_two_labels_of_a_study_look_alike() -> None:
    labels = [f"moco_v2[temperature={t}]" for t in (0.1, 0.2, 0.5)] + ["moco_v2_tuned"]
    methods = {name: name for name in (*_FIXED, "mine")} | dict.fromkeys(labels, "moco_v2")
    found = styles(methods)
    assert list(found) == list(methods)
    assert len(set(found.values())) == len(methods)


def test_a_named_method_looks_the_same_whatever_stands_beside_it() -> None:
    names = list(_FIXED)
    together = styles({name: name for name in names})
    alone = {name: styles({name: name})[name] for name in names}
    assert together == alone == styles({name: name for name in reversed(names)})


def test_floors_have_greys_of_their_own_whatever_tables_call_them() -> None:
    greys = {colour(of_pixels().method), colour(of_untrained("resnet18").method), colour(CHANCE.method)}
    assert len(greys) == 3
    assert not greys & set(PALETTE)
