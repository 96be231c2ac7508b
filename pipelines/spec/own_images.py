"""Data sets of somebody's own: images in files on this machine, whose splits and labels have to be found."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from pipelines.listing.kinds import ARRAYS, EXTENSIONS, Skipped
from pipelines.listing.quotas import evenly, shares
from pipelines.spec.bands import Bands
from pipelines.spec.base import Count, Name, Share
from pipelines.spec.contents import Contents
from pipelines.spec.counts import Counts
from pipelines.spec.datasets.base import DataSet


class OwnImages(Bands, DataSet):
    """A data set of somebody's own, in files on this machine."""

    name: Name
    """What the data set is called in keys and tables."""
    labels: Literal["auto", "none"] = "auto"
    """auto: labels where there are some (class folders, cls members). none: images alone, to pretrain on."""
    orientation: Literal["respect", "ignore"] = "respect"
    """respect: photographs are turned as their EXIF tag says. ignore: pixels as stored, as is usual for ImageNet."""
    alpha: Literal["white", "black", "drop"] = "white"
    """What shows through transparent pixels; drop: the colour that is stored under them. With ``channels`` it
    is one of them."""
    test_share: Share = 0.2
    """Share of each class for test when there is no test split."""
    expected_images: Count | None = Field(default=None, exclude=True)
    """About how many images train has, for what is planned before the files are here: cost, and what a job asks for."""

    @property
    def published_train_images(self) -> int | None:
        return self.expected_images

    @property
    def endings(self) -> frozenset[str]:
        """File endings that say image: arrays are images where it is said how many channels they have."""
        return EXTENSIONS | ARRAYS if self.channels else EXTENSIONS

    def counted(
        self,
        classes: tuple[str, ...],
        train: Sequence[int],
        test: Sequence[int] | None,
        held: Sequence[int] | None,
        skipped: Skipped,
    ) -> Contents:
        """What there will be of these images, cut as packing does.

        train, test, held: how many without a label, then of each class. test, held: none where a share of train is taken.
        """
        if self.part:  # the first count is of images without a label
            rows = [number + 1 for number in self.part.numbers(classes, self.short_name)]
            train, classes = _picked(train, rows), self.part.classes
            test, held = (counts and _picked(counts, rows) for counts in (test, held))
        asked = shares(train, self.test_share) if test is None else test
        rest = [one - other for one, other in zip(train, asked)] if test is None else train
        learnt = evenly(rest, self.limit) if self.limit else rest
        kept = shares(learnt, self.held_share(sum(learnt))) if held is None else held
        whole = learnt if held is None else [one + other for one, other in zip(learnt, held)]
        of_train, of_kept, of_test = (tuple(counts[1:]) for counts in (whole, kept, asked))
        counts = Counts(of_train, of_kept, of_test, classes)
        return Contents(sum(whole), sum(kept), sum(asked), counts, skipped.plain())


def _picked(counts: Sequence[int], rows: Sequence[int]) -> list[int]:
    """None without a label, then the counts at these places."""
    return [0, *(counts[row] for row in rows)]
