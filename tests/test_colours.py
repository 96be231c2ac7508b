"""Colours of methods."""

import re

from pipelines.colours import _FIXED, PALETTE, colour, styles


def luminance(shade: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    parts = [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_colour_depends_on_the_method_alone() -> None:
    assert colour("moco_v2") == colour("moco_v2[temperature=0.1]") == colour("moco_v2_tuned")
    assert colour("moco_v2") != colour("moco_v2_ft")
    assert colour("something_of_mine") == colour("something_of_mine")


def test_every_colour_is_visible_on_white() -> None:
    for shade in {*PALETTE, *_FIXED.values()}:
        assert re.fullmatch("#[0-9A-F]{6}", shade)
        assert 1.05 / (luminance(shade) + 0.05) >= 3.0, shade


def test_no_two_labels_of_a_study_look_alike() -> None:
    labels = [*_FIXED, *(f"moco_v2[temperature={t}]" for t in (0.1, 0.2, 0.5)), "moco_v2_tuned", "mine"]
    found = styles(labels)
    assert list(found) == labels
    assert len(set(found.values())) == len(labels)


def test_a_named_method_looks_the_same_whatever_stands_beside_it() -> None:
    names = [name for name in _FIXED if name not in ("pixels", "guess")]
    together = styles(names)
    assert together == {name: styles([name])[name] for name in names} == styles(names[::-1])


def test_floors_have_greys_of_their_own_under_the_labels_a_plan_gives_them() -> None:
    assert colour("raw pixels") == colour("pixels")
    assert colour("raw pixels") not in PALETTE
    assert colour("untrained resnet10w16") == colour("untrained vit_micro4 (mae)") == colour("untrained")
    assert colour("untrained") not in PALETTE
