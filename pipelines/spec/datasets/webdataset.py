"""Tars that somebody else made."""

from pathlib import Path
from typing import ClassVar, Literal

from pipelines.listing.inventory import Inventory, of_tars
from pipelines.listing.paths import expand
from pipelines.spec.datasets.base import OwnImages, Targets


class Options(OwnImages):
    """Existing tars: an image (png, jpg, webp, ...) and cls, txt or json members a sample."""

    beside: ClassVar[tuple[Targets, ...]] = ("captions",)
    use: Literal["webdataset"] = "webdataset"
    train: str
    """Path pattern of the train tars, with * or {000..012}; ~ and $NAME are filled in."""
    test: str | None = None
    """Path pattern of the test tars; none: a share of train becomes test."""
    fields: tuple[str, ...] = ()
    """Further image members of a sample (extensions such as depth.png), kept as views of their own."""

    @property
    def without_labels(self) -> bool:
        return self.labels == "none"

    def check_files(self) -> None:
        for pattern in filter(None, (self.train, self.test)):
            expand(pattern)

    def inventory(self, packed: Inventory | None = None) -> Inventory:
        if packed and not any(Path(tar).exists() for tar in packed.stocks):
            return packed
        return of_tars(tar for pattern in filter(None, (self.train, self.test)) for tar in expand(pattern))
