"""PASCAL VOC with boxes: what of 20 kinds is where in a photograph (Everingham et al. 2010, IJCV 88).

The devkit counts pixels from 1 and names the first and the last one inside. Here a box ends where its last pixel does, so that
(1, 1, W, H) there is (0, 0, W, H); detectron2 reads it so too. Things marked difficult are kept with their mark.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.boxes import BOX, BOXES, DIFFICULT, NAME
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import file_name
from pipelines.spec.datasets.voc import CLASSES
from pipelines.spec.datasets.voc_detection import Options as VocDetection

SIDES = ("xmin", "ymin", "xmax", "ymax")
TEST = "2007"
LONGEST = 2**20
"""Bytes of an annotation; the devkit's have a few thousand."""
ROUNDING = 1.0
"""Pixels that a box may reach beyond the image: it is cut there. A few coordinates of 2011 are no whole numbers."""


def read(options: VocDetection) -> Source:
    """trainval of the years to learn from, and test of 2007. InputError where files are missing or not what they should be."""
    options.check_files()
    if options.root is None:
        for year, part in [*((year, "trainval") for year in options.years), (TEST, "test")]:
            downloaded("VOCDetection", None, year=year, image_set=part)
    root = (options.root or Path(FOLDER)) / options.inner
    first, *others = (_split(root, year, "trainval") for year in options.years)
    for other in others:
        first = first.joined(other)
    return Source((), first, _split(root, TEST, "test"))


def _split(root: Path, year: str, part: str) -> Split:
    folder = root / f"VOC{year}"
    listed = folder / "ImageSets" / "Main" / f"{part}.txt"
    try:
        names = [file_name(word) for word in listed.read_text().split()]
    except (OSError, ValueError) as error:
        raise InputError(f"{listed}: cannot be read ({error}); fetch the data set anew") from None
    if not names:
        raise InputError(f"{listed}: names no image; fetch the data set anew")
    ids = [f"{year}-{part}/{name}" for name in names]

    def sample(position: int) -> Sample:
        name = names[position]
        path = folder / "JPEGImages" / f"{name}.jpg"
        with Image.open(path) as image:
            size = image.size
        boxes = things(folder / "Annotations" / f"{name}.xml", size)
        return Sample(ids[position], path.read_bytes(), "jpg", -1, meta={BOXES: boxes})

    return Split(ids, np.full(len(names), -1, np.int64), sample)


def things(path: Path, size: tuple[int, int]) -> list[dict[str, object]]:
    """What an annotation says is in an image of that width and height. InputError names the file and the thing."""
    found = []
    for number, thing in enumerate(_root(path).findall("object"), start=1):
        where = f"{path}: object {number}"
        name = (thing.findtext("name") or "").strip()
        if name not in CLASSES:
            raise InputError(f"{where}: {name!r} is none of the 20 classes ({', '.join(CLASSES)}); mend the file")
        box = _box(thing, size, f"{where} ({name})")
        found.append({NAME: name, BOX: box, DIFFICULT: (thing.findtext("difficult") or "0").strip() == "1"})
    return found


def _root(path: Path) -> ElementTree.Element:
    """The annotation's root element. A file that declares entities, which could grow without bound, is not read."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch the data set anew") from None
    if len(data) > LONGEST or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: is longer than any annotation or declares entities, which none needs; fetch it anew")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{path}: is no XML ({error}); fetch the data set anew") from None
    if root.tag != "annotation":
        raise InputError(f"{path}: begins with <{root.tag}>, not with <annotation>; fetch the data set anew")
    return root


def _box(thing: ElementTree.Element, size: tuple[int, int], where: str) -> list[float]:
    """Left, top, right and bottom, inside the image."""
    written = thing.find("bndbox")  # a direct child: parts of a person have boxes of their own
    given = [None if written is None else written.findtext(side) for side in SIDES]
    try:
        left, top, right, bottom = (float(value or "nothing") for value in given)
    except ValueError:
        said = ", ".join(f"{side} {value}" for side, value in zip(SIDES, given))
        raise InputError(f"{where}: bndbox needs four numbers, got {said}; mend the file") from None
    width, height = size
    if not (
        1 - ROUNDING <= left < right <= width + ROUNDING and 1 - ROUNDING <= top < bottom <= height + ROUNDING
    ):  # NaN is in no order either
        raise InputError(
            f"{where}: bndbox {left:g}, {top:g}, {right:g}, {bottom:g} does not lie in the image of {width} x {height} pixels "
            "with its first corner before its last; mend the file"
        )
    return [max(0.0, left - 1), max(0.0, top - 1), min(float(width), right), min(float(height), bottom)]
