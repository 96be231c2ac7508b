"""A small set in the layout of PASCAL VOC's devkit: coloured blocks on noise, each in a box with the class of its colour."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"cat": (230, 40, 40), "bus": (40, 60, 230)}
OBJECT = """  <object>
    <name>{name}</name>
    <pose>Unspecified</pose>
    <difficult>{difficult}</difficult>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
    <bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
  </object>
"""


@dataclass(frozen=True)
class Thing:
    """Pixels counted from 1, both ends inside, as the devkit does."""

    name: str
    box: tuple[int, int, int, int]
    difficult: int = 0


def annotation(things: list[Thing]) -> str:
    objects = "".join(OBJECT.format(*each.box, name=each.name, difficult=each.difficult) for each in things)
    return f"<annotation>\n  <filename>x.jpg</filename>\n{objects}</annotation>\n"


@dataclass
class Devkit:
    """Writes one; folders are those of ``root``/VOCdevkit."""

    root: Path
    size: tuple[int, int] = (80, 64)
    seed: int = 0

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(self.seed)

    def things(self) -> list[Thing]:
        """One block in the left half, one in the right, each there with probability 0.8."""
        width, height = self.size
        found = []
        for start in (0, width // 2):
            side = int(self.draw.integers(width // 5, width // 3))
            left, top = start + int(self.draw.integers(1, width // 2 - side)), int(self.draw.integers(1, height - side))
            if self.draw.random() < 0.8:
                found.append(Thing(str(self.draw.choice(list(COLOURS))), (left, top, left + side, top + side)))
        return found

    def part(self, year: str, part: str, count: int) -> None:
        """A split of so many images; the first shows nothing, the second one block and one that is hard to make out."""
        folder = self.root / "VOCdevkit" / f"VOC{year}"
        for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        names = [f"{year}_{part}{number:03d}" for number in range(count)]
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for number, name in enumerate(names):
            plain = [[], [Thing("cat", (4, 4, 24, 24)), Thing("bus", (45, 30, 65, 50), difficult=1)]]
            things = plain[number] if number < 2 else self.things()
            self.image(folder / "JPEGImages" / f"{name}.jpg", things)
            (folder / "Annotations" / f"{name}.xml").write_text(annotation(things))

    def image(self, path: Path, things: list[Thing]) -> None:
        pixels = self.draw.integers(90, 160, (self.size[1], self.size[0], 3)).astype(np.uint8)
        for thing in things:
            left, top, right, bottom = thing.box
            pixels[top - 1 : bottom, left - 1 : right] = COLOURS[thing.name]
        Image.fromarray(pixels).save(path, quality=95)

    def small_voc(self) -> None:
        """Both years to learn from, and the test of 2007."""
        for year, part, count in (("2007", "trainval", 20), ("2012", "trainval", 20), ("2007", "test", 16)):
            self.part(year, part, count)
