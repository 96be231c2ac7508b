"""Tars that somebody else made."""

from typing import Literal

from pipelines.spec.base import Name, Share
from pipelines.spec.datasets.base import DataSet


class Options(DataSet):
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
