"""Tiny-ImageNet: 200 classes of ImageNet at 64 x 64 pixels (Le and Yang 2015, Stanford CS 231N)."""

from pathlib import Path

from pipelines.errors import InputError
from pipelines.sources.base import Source
from pipelines.sources.files import file_split
from pipelines.spec.datasets.tiny_imagenet import Options as TinyImageNet


def read(options: TinyImageNet) -> Source:
    """The unpacked zip; val is test. InputError where an image or a class is not as the lists say."""
    options.check_files()
    root = options.root
    wnids = (root / "wnids.txt").read_text().split()
    words = dict(line.split("\t", 1) for line in (root / "words.txt").read_text().splitlines() if "\t" in line)
    number = {wnid: i for i, wnid in enumerate(wnids)}
    train: list[tuple[Path, int]] = []
    for wnid in wnids:
        images = sorted((root / "train" / wnid / "images").glob("*.JPEG"))
        if not images:
            raise InputError(f"{root / 'train' / wnid / 'images'}: no images; unpack the zip anew")
        train += [(path, number[wnid]) for path in images]
    notes = root / "val" / "val_annotations.txt"
    test = []
    for line in notes.read_text().splitlines():
        name, wnid, *_ = line.split("\t")
        if wnid not in number:
            raise InputError(f"{notes}: {name} is of class {wnid}, which wnids.txt does not list; unpack the zip anew")
        test.append((root / "val" / "images" / name, number[wnid]))
    classes = tuple(words.get(wnid, wnid) for wnid in wnids)
    if len(set(classes)) < len(classes):  # two classes share a word: a crane is a bird and a machine
        classes = tuple(f"{words.get(wnid, wnid)} ({wnid})" for wnid in wnids)
    return Source(classes, file_split(root, *zip(*train)), file_split(root, *zip(*test)))
