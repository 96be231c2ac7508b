"""ImageNet, ILSVRC 2012 (Russakovsky et al. 2015, arXiv:1409.0575): from folders, or from the official tars unopened.

The train tar holds a tar for each class. Images are read by their offsets, so that nothing is unpacked; the labels of val
are the development kit's.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.io import loadmat

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.files import file_split
from pipelines.spec.datasets.imagenet import DEVKIT, TRAIN, VAL
from pipelines.spec.datasets.imagenet import Options as ImageNet

KIT = "ILSVRC2012_devkit_t12/data"


def read(options: ImageNet) -> Source:
    """Classes are WordNet ids, in their order. InputError where files are missing, damaged or do not go together."""
    options.check_files()
    return _folders(options.root) if options.unpacked else _tars(options.root)


def _folders(root: Path) -> Source:
    wnids = sorted(path.name for path in (root / "train").iterdir() if path.is_dir())
    if unknown := {path.name for path in (root / "val").iterdir() if path.is_dir()} ^ set(wnids):
        raise InputError(
            f"{root}: train/ and val/ have other class folders ({min(unknown)}); sort val's images into class folders"
        )
    train, test = _class_folders(root / "train", root, wnids), _class_folders(root / "val", root, wnids)
    return Source(tuple(wnids), train, test)


def _class_folders(part: Path, root: Path, wnids: list[str]) -> Split:
    found = [(path, i) for i, wnid in enumerate(wnids) for path in sorted((part / wnid).glob("*.JPEG"))]
    if len({label for _, label in found}) < max(1, len(wnids)):
        raise InputError(f"{part}: a class folder without *.JPEG files; unpack the tar anew")
    return file_split(root, *zip(*found))


class ArchivePlace(NamedTuple):
    """An image in a tar: its name, and where its bytes lie."""

    name: str
    start: int
    size: int


def _tars(root: Path) -> Source:
    truth = _opened(root / DEVKIT, _truth)
    train, val = _opened(root / TRAIN, _nested), _opened(root / VAL, lambda tar: sorted(_places(tar, 0)))
    wnids = sorted({wnid for wnid, _ in train})
    if len(val) != len(truth) or not set(truth) <= set(wnids):
        raise InputError(
            f"{root}: {VAL} has {len(val)} images, {DEVKIT} {len(truth)} labels, and {TRAIN} {len(wnids)} classes, which do "
            "not go together; fetch the files anew"
        )
    number = {wnid: i for i, wnid in enumerate(wnids)}
    return Source(
        tuple(wnids),
        _split(root / TRAIN, [place for _, place in train], [number[wnid] for wnid, _ in train]),
        _split(root / VAL, val, [number[wnid] for wnid in truth]),
    )


def _opened(path: Path, look: Callable[[tarfile.TarFile], Any]) -> Any:
    try:
        with tarfile.open(path) as tar:
            return look(tar)
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise InputError(f"{path}: not the file it should be ({error}); fetch it anew") from None


def _places(tar: tarfile.TarFile, shift: int) -> Iterator[ArchivePlace]:
    for member in tar:
        if member.isfile():
            yield ArchivePlace(member.name, shift + member.offset_data, member.size)


def _nested(outer: tarfile.TarFile) -> list[tuple[str, ArchivePlace]]:
    """(class, image) of a tar of tars, classes in order."""
    found = []
    for member in sorted(outer, key=lambda each: each.name):
        inner = outer.extractfile(member)
        assert inner is not None
        with tarfile.open(fileobj=inner) as tar:
            found += [(Path(member.name).stem, place) for place in _places(tar, member.offset_data)]
    return found


def _truth(kit: tarfile.TarFile) -> list[str]:
    """The WordNet ids of val's images, in the order of their names."""
    words, labels = kit.extractfile(f"{KIT}/meta.mat"), kit.extractfile(f"{KIT}/ILSVRC2012_validation_ground_truth.txt")
    assert words is not None
    assert labels is not None
    synsets = loadmat(io.BytesIO(words.read()), squeeze_me=True)["synsets"]
    wnid = {int(number): str(name) for number, name in zip(synsets["ILSVRC2012_ID"], synsets["WNID"])}
    return [wnid[int(line)] for line in labels.read().decode().split()]


def _split(tar: Path, places: list[ArchivePlace], labels: list[int]) -> Split:
    ids = [place.name for place in places]

    def sample(position: int) -> Sample:
        _, start, size = places[position]
        with tar.open("rb") as file:
            file.seek(start)
            return Sample(ids[position], file.read(size), "jpg", labels[position])

    return Split(ids, np.asarray(labels, np.int64), sample)
