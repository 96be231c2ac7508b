"""Tars that somebody else made."""

import os
from collections import Counter
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from pipelines.errors import InputError
from pipelines.listing.inventory import Inventory, of_tars
from pipelines.listing.kinds import Skipped, in_words
from pipelines.listing.paths import expand
from pipelines.listing.samples import label_of, labelled, main_image
from pipelines.listing.tars import check_kind, entries_of, is_compressed
from pipelines.spec.contents import Contents
from pipelines.spec.datasets.base import Targets
from pipelines.spec.own_images import OwnImages

MOST_BYTES, MOST_COMPRESSED = 2**30, 2**27
"""Of tars that planning looks into as a whole: all headers and labels are read, and compressed ones are unpacked for it."""
GLIMPSE = 2**26
"""Bytes of a larger tar that planning looks into."""


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
        for tar in self._tars():
            check_kind(tar)

    def inventory(self, packed: Inventory | None = None) -> Inventory:
        if packed and not any(Path(tar).exists() for tar in packed.stocks):
            return packed
        return of_tars(self._tars())

    def told(self) -> str:
        tars = {pattern: len(expand(pattern)) for pattern in filter(None, (self.train, self.test))}
        train, *test = [f"{count} tar{'s' * (count > 1)} ({pattern})" for pattern, count in tars.items()]
        asked = test[0] if test else f"{self.test_share:.0%} of it"
        return f"train: {train}; test: {asked}; choices: {self.held_told}"

    def contents(self) -> Contents | None:
        if not self._is_small:
            return None
        skipped = Skipped()
        train = self._labels(self.train, skipped)
        test = self._labels(self.test, skipped) if self.test else None
        skipped.check_lost(sum(train.values()) + sum((test or Counter()).values()), self.max_unreadable)
        given = sorted({*train, *(test or ())} - {-1})

        def counts(labels: Counter[int]) -> list[int]:
            return [labels[number] for number in (-1, *given)]

        names = tuple(map(str, given))
        return self.counted(names, counts(train), None if test is None else counts(test), None, skipped)

    def uncounted(self) -> list[str]:
        if self._is_small:
            return []
        tars = self._tars()
        size, packed = sum(tar.stat().st_size for tar in tars), sum(is_compressed(tar) for tar in tars)
        first = (
            f"not counted before packing: {len(tars)} tars of {size / 1e9:.1f} GB, {packed} of them compressed; planning goes "
            f"through {MOST_BYTES / 1e9:.1f} GB, of compressed ones {MOST_COMPRESSED / 1e9:.1f} GB; python -m pipelines look "
            "STUDY goes through all, and unpacks compressed ones into the folder of temporary files"
        )
        return [first, *(self._glimpse(pattern) for pattern in filter(None, (self.train, self.test)))]

    @property
    def _is_small(self) -> bool:
        tars = self._tars()
        size, packed = (sum(tar.stat().st_size for tar in some) for some in (tars, filter(is_compressed, tars)))
        return size <= MOST_BYTES and packed <= MOST_COMPRESSED

    def _tars(self) -> list[Path]:
        """All tars; InputError for one that is meant twice, whose images would count twice or stand in train and test."""
        found: dict[str, Path] = {}
        for tar in (tar for pattern in filter(None, (self.train, self.test)) for tar in expand(pattern)):
            if (real := os.path.realpath(tar)) in found:
                raise InputError(
                    f"{tar}: the same tar as {found[real]}, and its images would stand twice in the data set; let "
                    "dataset.train and dataset.test name each tar once"
                )
            found[real] = tar
        return list(found.values())

    def _glimpse(self, pattern: str) -> str:
        """What the beginning of the first tar holds, in words."""
        tar, skipped = expand(pattern)[0], Skipped()
        entries = entries_of(tar, skipped, GLIMPSE)[:-1]  # the last may lack members
        for entry in entries:
            main_image(entry, self.fields)
        labels = Counter(label_of(entry) for entry in entries) if self.labels == "auto" else Counter[int]()
        bare, given = labels.pop(-1, 0), sorted(labels)
        seen = f"{len(entries)} samples, {bare} without a label, {len(given)} classes"
        numbers = f" ({given[0]} to {given[-1]})" if given else ""
        left_out = f"; left out: {in_words(skipped.plain())}" if skipped.counts else ""
        return f"the first {GLIMPSE / 1e6:.0f} MB of {tar.name}: {seen}{numbers}{left_out}"

    def _labels(self, pattern: str, skipped: Skipped) -> Counter[int]:
        """Class number, -1 for none -> samples."""
        auto = self.labels == "auto"
        return Counter(labelled(expand(pattern), pattern, self.fields, skipped, self.endings, auto)[1])
