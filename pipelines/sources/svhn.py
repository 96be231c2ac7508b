"""Street View House Numbers, cropped digits: 32 x 32 colour pixels in 10 classes (Netzer et al. 2011)."""

from pipelines.sources.base import Source, array_split
from pipelines.sources.download import downloaded
from pipelines.spec.datasets.svhn import Options as SVHN


def read(options: SVHN) -> Source:
    """torchvision's copy, whose checksums torchvision verifies. The extra images are no part of it."""
    train, test = (downloaded("SVHN", options.root, split=split) for split in ("train", "test"))
    return Source(
        tuple("0123456789"),
        array_split("train", train.data.transpose(0, 2, 3, 1), train.labels),
        array_split("test", test.data.transpose(0, 2, 3, 1), test.labels),
    )
