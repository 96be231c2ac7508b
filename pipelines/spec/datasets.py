"""Data sets: where images come from and how they are cut into splits."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.spec.base import Count, Model, Name, Share


class DataSet(Model):
    """What every data set has in common."""

    image_size: int | None = Field(default=None, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped); none: the images' own, which must all agree."""
    holdout: Share = 0.1
    """Share of train kept for choosing (tuning, probe learning rates, online kNN): stratified, with a fixed seed."""
    per_shard: Count = 5000
    """Samples a tar."""
    limit: Count | None = None
    """Keep only this many training images, the same number a class where possible, chosen with a fixed seed."""
    max_unreadable: Share = 0.001
    """Share of images that may be unreadable; they are named and counted. Beyond it the shards are refused."""


class Digits(DataSet):
    """scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels in 10 classes; every fifth is test."""

    use: Literal["digits"] = "digits"


class FashionMNIST(DataSet):
    """Zalando's Fashion-MNIST: 60,000 + 10,000 images of 28 x 28 pixels in 10 classes."""

    use: Literal["fashion_mnist"] = "fashion_mnist"
    folder: str | None = None
    """Folder with the four idx files; none: Debian's dataset-fashion-mnist, else torchvision's download to data/."""


class CIFAR10(DataSet):
    """CIFAR-10: 50,000 + 10,000 images of 32 x 32 pixels."""

    use: Literal["cifar10"] = "cifar10"
    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""


class CIFAR100(DataSet):
    """CIFAR-100: 50,000 + 10,000 images of 32 x 32 pixels."""

    use: Literal["cifar100"] = "cifar100"
    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""


class STL10(DataSet):
    """STL-10: 96 x 96 pixels; pretraining on the 100,000 unlabelled and 5,000 labelled images, test on 8,000."""

    use: Literal["stl10"] = "stl10"
    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""
    unlabelled: bool = True
    """Whether the unlabelled images are part of train (label -1)."""


class ImageFolder(DataSet):
    """A folder of class folders, with train/ and test/ (or val/) inside, or without: then a share becomes test."""

    use: Literal["imagefolder"] = "imagefolder"
    name: Name
    """What the data set is called in keys and tables."""
    folder: str
    classes: str | None = None
    """A text file, one class folder a line (more words on a line are ignored): only these, in this order (ImageNet-100)."""
    test_share: Share = 0.2
    """Share of each class for test when there is no test/ or val/ folder."""


class WebDataset(DataSet):
    """Existing tars: an image (png, jpg, webp, ...) and cls, txt or json members a sample."""

    use: Literal["webdataset"] = "webdataset"
    name: Name
    train: str
    """Path pattern of the train tars, with * or {000..012}."""
    test: str | None = None
    """Path pattern of the test tars; none: a share of train becomes test."""
    test_share: Share = 0.2
    fields: tuple[str, ...] = ()
    """Further image members of a sample (extensions such as depth.png), kept as views of their own."""


AnyDataSet = Annotated[
    Digits | FashionMNIST | CIFAR10 | CIFAR100 | STL10 | ImageFolder | WebDataset, Field(discriminator="use")
]


def dataset_name(dataset: DataSet) -> str:
    """What the data set is called in keys and tables: its own name, else that of its kind, with its limit."""
    name = getattr(dataset, "name", None) or dataset.use  # type: ignore[attr-defined]
    return f"{name}-{dataset.limit}" if dataset.limit else name
