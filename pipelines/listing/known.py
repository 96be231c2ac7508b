"""Published layouts that are no class folders: a refusal of such a folder says what the data set is read by."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError

KNOWN = {
    "val/val_annotations.txt": "as Tiny-ImageNet is published: write use: tiny_imagenet",
    "cifar-10-batches-bin": "CIFAR-10's binary version: fetch the one for Python and write use: cifar10",
    "data_batch_1.bin": "CIFAR-10's binary version: fetch the one for Python and write use: cifar10",
    "cifar-10-batches-py": "CIFAR-10 as published: write use: cifar10",
    "cifar-100-python": "CIFAR-100 as published: write use: cifar100",
    "cifar-100-binary": "CIFAR-100's binary version: fetch the one for Python and write use: cifar100",
    "train_test_split.txt": "as CUB-200-2011 is published: sort images/ into train/ and test/ by train_test_split.txt",
    "Data/CLS-LOC": "ImageNet as Kaggle has it: sort the images of Data/CLS-LOC/val into class folders, by the labels that "
    "come with them, and write dataset.folder: {root}/Data/CLS-LOC",
    "ILSVRC2012_img_train.tar": "ImageNet's own tars: write use: imagenet",
    "ILSVRC2012_validation_ground_truth.txt": "ImageNet's own labels: beside its tars, write use: imagenet; else sort the "
    "images of val/ into class folders by this file",
    "ImageSets/Main": "as PASCAL VOC is published: write use: voc, with the folder that holds VOCdevkit",
    "VOCdevkit": "as PASCAL VOC is published: write use: voc",
    "annotations/captions_train2017.json": "as COCO is published: write use: coco_captions",
    "annotations/instances_train2017.json": "as COCO is published: images have many objects and no class; write "
    "dataset.folder: {root}/train2017 and labels: none",
    "devkit": "labels stand in devkit/: sort the images into train/ and test/ with class folders by them",
    "train-images-idx3-ubyte": "MNIST's files: write use: mnist (or kmnist, fashion_mnist)",
    "train-images-idx3-ubyte.gz": "MNIST's files: write use: mnist (or kmnist, fashion_mnist)",
    "train_32x32.mat": "SVHN as published: write use: svhn",
    "*.parquet": "images in Parquet files: write them into class folders, or into tars for use: webdataset",
    "*/*.parquet": "images in Parquet files: write them into class folders, or into tars for use: webdataset",
    "*.tar": "tars of images: write use: webdataset, with train: {root}/*.tar",
    "train/images": "images/ in each split, as detectors have them: sort the images into class folders, or write "
    "dataset.folder: {root}/train/images and labels: none",
}
"""A file or folder of the layout, as a pattern -> what to do; {root} is the folder that was given."""


@contextlib.contextmanager
def advised(root: Path) -> Iterator[None]:
    """An InputError of the block says also what a published layout in ``root`` is read by."""
    try:
        yield
    except InputError as error:
        advice = next((text for pattern, text in KNOWN.items() if root.is_dir() and any(root.glob(pattern))), None)
        raise (InputError(f"{error}; {advice.format(root=root)}") if advice else error) from None
