"""PASCAL VOC 2012 with masks: which of 20 kinds of things, or background, every pixel shows (Everingham et al. 2015, IJCV 111).

A mask becomes a grey PNG of class numbers: 0 background, 1 to 20 the classes, 255 where the devkit leaves it open.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.download import FOLDER, downloaded
from pipelines.sources.files import file_name
from pipelines.sources.images import encode_png
from pipelines.sources.masks import MASK
from pipelines.spec.datasets.voc_segmentation import Options as VocSegmentation


def read(options: VocSegmentation) -> Source:
    """train to learn from, and val, which is test. InputError where files are missing."""
    options.check_files()
    if options.root is None:
        for part in ("train", "val"):
            downloaded("VOCSegmentation", None, year="2012", image_set=part)
    root = (options.root or Path(FOLDER)) / options.inner
    return Source((), _split(root, "train"), _split(root, "val"))


def _split(root: Path, part: str) -> Split:
    path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
    try:
        names = [file_name(word) for word in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch the data set anew") from None

    def sample(position: int) -> Sample:
        name = names[position]
        with Image.open(root / "SegmentationClass" / f"{name}.png") as mask:
            numbers = np.asarray(mask, np.uint8)  # of a palette image its class numbers, not its colours
        image = (root / "JPEGImages" / f"{name}.jpg").read_bytes()
        return Sample(f"{part}/{name}", image, "jpg", -1, fields={MASK: encode_png(numbers)})

    return Split([f"{part}/{name}" for name in names], np.full(len(names), -1, np.int64), sample)
