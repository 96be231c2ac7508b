"""One colour a method, the same in every chart, table and tracking run, told apart with colour-blind eyes too.

The hues are those of Okabe and Ito (2008) without yellow and black, and of Tol's muted scheme (2021). Three of them (orange,
sky, teal) are darker than there, so that every line has a contrast of 3:1 on white (WCAG 2.2, 1.4.11). Where two labels share a
colour, a dash pattern tells them apart. A method that has a colour by name has its dash by name too, so that it looks the same
in every section, whatever stands beside it. Charts are drawn for paper; on a dark
screen every colour gives way to a lighter one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

_BLUE, _VERMILION, _GREEN, _ORANGE, _SKY, _PINK = "#0072B2", "#D55E00", "#009E73", "#C58300", "#3B97D3", "#CC79A7"
_INDIGO, _WINE, _OLIVE, _TEAL, _BROWN, _PURPLE = "#332288", "#882255", "#8A8A2B", "#35998A", "#8C510A", "#7B3FA0"
PALETTE = (_BLUE, _VERMILION, _GREEN, _ORANGE, _SKY, _PINK, _INDIGO, _WINE, _OLIVE, _TEAL, _BROWN, _PURPLE)

PAPER, DARK = "#FFFFFF", "#17181A"
"""The grounds of a page: by day and on paper, and in the dark."""
INK, GRID, RULE = "#222222", "#E4E4E4", "#777777"
"""Of charts: text and marks without a method, the lines of a grid, and lines that mark a bound."""
NO_SCORE, TILE_PALE, TILE_DEEP = "#F7FBFF", "#FFFFFE", "#1F1F1F"
"""The ground of a heat map, and text on its tiles, which are as pale or deep on every ground: they stay in the dark."""
_ON_DARK = {PAPER: DARK, INK: "#E8E8E8", GRID: "#3A3C40", "#1A1A1A": "#F2F2F2"}
"""What turns over in the dark, where all other colours get lighter."""

_RAMP = ("#440154", "#46327E", "#365C8D", "#277F8E", "#1FA187", "#4AA64A")
_FIXED = {
    "pixels": "#8C8C8C",
    "untrained": "#5C5C5C",
    "guess": "#767676",
    "supervised": "#1A1A1A",
    "moco_v1": _SKY,
    "moco_v1_ft": _ORANGE,
    "moco_v2": _BLUE,
    "moco_v2_ft": _VERMILION,
    "moco_v3": _INDIGO,
    "simclr": _GREEN,
    "simclr_v2": _TEAL,
    "instdisc": _BROWN,
    "invaspread": _OLIVE,
    "cpc": _PINK,
    "cmc": _WINE,
    "dim": _PURPLE,
    "amdim": _TEAL,
    "pirl": _OLIVE,
    "swav": _PURPLE,
    "byol": _PINK,
    "simsiam": _WINE,
    "dino": _BROWN,
    "clip": _SKY,
    "mae": _ORANGE,
}
_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3), (12, 4), (4, 2, 1, 2, 1, 2))

_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""One a dash."""


@dataclass(frozen=True)
class Style:
    """How a label is drawn: ``colour`` as #rrggbb, ``dash`` as lengths of line and gap in pixels (empty: solid)."""

    colour: str
    dash: tuple[int, ...]

    @property
    def shape(self) -> str:
        """Of its dots, where there is no line for a dash: labels of one colour differ in it, too."""
        return _SHAPES[_DASHES.index(self.dash)]


def colour(method: str) -> str:
    """The colour (#rrggbb) of a method, or of a floor's kind, by its name alone: its grid points and tuned runs share it."""
    if method in _FIXED:
        return _FIXED[method]
    return PALETTE[int(hashlib.sha256(method.encode()).hexdigest(), 16) % len(PALETTE)]


def styles(methods: Mapping[str, str]) -> dict[str, Style]:
    """A style for each label, in order: its method's colour and dash, or the next dash where an earlier label looks like that.

    methods: label -> the method it is of
    """
    found: dict[str, Style] = {}
    for label, method in methods.items():
        shade, first = colour(method), _dash_of(method) if label == method else 0
        every = [Style(shade, _DASHES[(first + further) % len(_DASHES)]) for further in range(len(_DASHES))]
        used = set(found.values())
        found[label] = next((style for style in every if style not in used), every[0])
    return found


def _dash_of(method: str) -> int:
    """The place of a named method among those of its colour; 0 for all others."""
    sharing = [name for name, shade in _FIXED.items() if shade == colour(method)]
    return sharing.index(method) % len(_DASHES) if method in sharing else 0


def ramp(count: int) -> list[str]:
    """Colours (#rrggbb) for ``count`` values in their order, from dark to light, as in the viridis map without its pale end."""
    places = [(len(_RAMP) - 1) * number / max(1, count - 1) for number in range(count)]
    return [_between(_RAMP[int(place)], _RAMP[min(int(place) + 1, len(_RAMP) - 1)], place % 1) for place in places]


def luminance(shade: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2), from 0 to 1."""
    red, green, blue = _linear(shade)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def on_dark(shade: str) -> str:
    """What stands for a colour of paper on the dark ground: mixed with white, the more the darker it is.

    A luminance Y becomes 0.15 + 0.35 Y + 0.5 Y², so that lighter colours stay lighter, and every one has a contrast above 3.
    """
    if shade.upper() in _ON_DARK:
        return _ON_DARK[shade.upper()]
    white = max(0.0, 0.15 - 0.5 * luminance(shade))
    return "#" + "".join(f"{_encoded(part + white * (1 - part)):02X}" for part in _linear(shade))


def _linear(shade: str) -> list[float]:
    """Red, green and blue as shares of light."""
    parts = [int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _encoded(light: float) -> int:
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))


def _between(one: str, other: str, share: float) -> str:
    pairs = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(low + (high - low) * share):02X}" for low, high in pairs)
