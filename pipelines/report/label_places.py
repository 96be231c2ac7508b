"""Where names stand beside the dots of a chart, so that none covers another or a dot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LETTER, LINE, DOT = 6.4, 13.0, 5.0
"""Pixels: width of a letter at 11 px and height of its line, both rounded up; half a dot."""
NEAR, FAR = 13.0, (26.0, 39.0, 52.0, 65.0)
"""Pixels from a dot to the middle of its name: at once, and with a line that leads to it."""


@dataclass(frozen=True)
class Box:
    """Pixels from the left and the top: the middle of a name or dot, and half of its width and height."""

    x: float
    y: float
    half_width: float
    half_height: float

    def meets(self, other: "Box") -> bool:
        """Whether they share a pixel."""
        across = abs(self.x - other.x) < self.half_width + other.half_width
        return across and abs(self.y - other.y) < self.half_height + other.half_height

    def lies_in(self, width: float, height: float) -> bool:
        """Whether all of it is inside the chart."""
        inside = self.half_width <= self.x <= width - self.half_width
        return inside and self.half_height <= self.y <= height - self.half_height


def label_places(
    dots: Sequence[tuple[float, float]], names: Sequence[str], width: float, height: float
) -> list[Box | None]:
    """The box of each name; None where there is no room, so that the pointer and the table have to tell it.

    dots: pixels from the left and the top. Names that come first choose first.
    """
    taken = [Box(x, y, DOT, DOT) for x, y in dots]
    found: list[Box | None] = []
    for number, (dot, name) in enumerate(zip(dots, names, strict=True)):
        others = [*taken[:number], *taken[number + 1 :]]
        free = (
            box
            for box in _around(*dot, LETTER * len(name) / 2)
            if box.lies_in(width, height) and not any(box.meets(other) for other in others)
        )
        found.append(next(free, None))
        taken += [box for box in found[-1:] if box]
    return found


def is_far(dot: tuple[float, float], box: Box) -> bool:
    """Whether a line has to lead from the dot to its name."""
    return abs(box.y - dot[1]) > (NEAR + FAR[0]) / 2


def _around(x: float, y: float, half: float) -> Iterator[Box]:
    """Above, to the sides, below, aslant; then ever further off."""
    side = half + DOT + 3
    for right, down in (
        (0, -NEAR),
        (side, 0),
        (-side, 0),
        (0, NEAR),
        *((a * side, b * 10) for b in (-1, 1) for a in (1, -1)),
    ):
        yield Box(x + right, y + down, half, LINE / 2)
    for distance in FAR:
        for down in (-distance, distance):
            for right in (0, side, -side):
                yield Box(x + right, y + down, half, LINE / 2)
