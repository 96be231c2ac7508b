"""PASCAL VOC 2007: which of 20 kinds of things are seen in a photograph (Everingham et al. 2010, IJCV 88).

Of every image and class the devkit says 1 (seen), -1 (not seen) or 0 (seen, but hard to make out: neither counts).
"""

from pathlib import Path

import numpy as np

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import file_name
from pipelines.sources.label_sets import IGNORED, PRESENT
from pipelines.spec.datasets.voc import CLASSES
from pipelines.spec.datasets.voc import Options as Voc


def read(options: Voc) -> Source:
    """trainval to learn from, and test. InputError where files are missing or not what they should be."""
    options.check_files()
    if options.root is None:
        for part in ("trainval", "test"):
            downloaded("VOCDetection", None, year="2007", image_set=part)
    root = (options.root or Path(FOLDER)) / options.inner
    return Source((), _split(root, "trainval"), _split(root, "test"))


def _split(root: Path, part: str) -> Split:
    said = {name: _said(root / "ImageSets" / "Main" / f"{name}_{part}.txt") for name in CLASSES}
    names = sorted(said[CLASSES[0]])
    for name, each in said.items():
        if sorted(each) != names or not names:
            raise InputError(
                f"{root}: ImageSets/Main/{name}_{part}.txt and {CLASSES[0]}_{part}.txt are not of the same images; fetch the "
                "data set anew"
            )

    def sample(position: int) -> Sample:
        image = names[position]
        kinds = {PRESENT: 1, IGNORED: 0}
        meta = {kind: [name for name in CLASSES if said[name][image] == number] for kind, number in kinds.items()}
        return Sample(f"{part}/{image}", (root / "JPEGImages" / f"{image}.jpg").read_bytes(), "jpg", -1, meta=meta)

    return Split([f"{part}/{image}" for image in names], np.full(len(names), -1, np.int64), sample)


def _said(path: Path) -> dict[str, int]:
    """Image -> 1, 0 or -1."""
    try:
        pairs = [line.split() for line in path.read_text().splitlines() if line.strip()]
        found = {file_name(image): int(number) for image, number in pairs}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of images with 1, 0 or -1 ({error}); fetch the data set anew") from None
    if wrong := next((image for image, number in found.items() if number not in (1, 0, -1)), None):
        raise InputError(f"{path}: {found[wrong]} for image {wrong} is none of 1, 0, -1; fetch the data set anew")
    return found
