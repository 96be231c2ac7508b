"""Tars that somebody else made."""

from collections import Counter
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from pipelines.listing.inventory import Inventory, of_tars
from pipelines.listing.kinds import Skipped
from pipelines.listing.paths import expand
from pipelines.listing.samples import label_of, samples_of
from pipelines.spec.contents import Contents
from pipelines.spec.datasets.base import OwnImages, Targets

MOST_BYTES = 2**30
"""Of tars that planning looks into: their headers and labels are read. It opens no larger and no compressed ones."""


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

    @model_validator(mode="after")
    def _no_fields(self) -> Self:
        if self.channels and self.fields:
            raise ValueError(
                "fields are further grey or RGB images beside an RGB image, and channels says what one image is made of; "
                "leave channels out, or save the fields as channels of the image"
            )
        return self

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

    def contents(self) -> Contents | None:
        tars = [tar for pattern in filter(None, (self.train, self.test)) for tar in expand(pattern)]
        if sum(tar.stat().st_size for tar in tars) > MOST_BYTES or any(tar.suffix != ".tar" for tar in tars):
            return None
        skipped = Skipped()
        train = self._labels(self.train, skipped)
        test = self._labels(self.test, skipped) if self.test else None
        given = sorted({*train, *(test or ())} - {-1})

        def counts(labels: Counter[int]) -> list[int]:
            return [labels[number] for number in (-1, *given)]

        names = tuple(map(str, given))
        return self.counted(names, counts(train), None if test is None else counts(test), None, skipped)

    def _labels(self, pattern: str, skipped: Skipped) -> Counter[int]:
        """Class number, -1 for none -> samples."""
        entries = samples_of(expand(pattern), pattern, self.fields, skipped, self.endings)
        return Counter(label_of(entry) if self.labels == "auto" else -1 for entry in entries)
