"""A data set's train alone, cut once more: the held-out slice stands in the place of test, and a second one in its own.

By it a protocol measures what nobody may choose by test, with its own code unchanged. The tars are those of train, so that no
image and no label of test can be reached.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.index import Shard
from pipelines.sources.reader import Rows, ShardSet
from pipelines.sources.strata import stratified_share
from pipelines.sources.table import SampleTable

MOST = 0.5
"""Share of the rest of train that the second slice takes at most, where the first is larger than the rest."""


class HeldOut(ShardSet):
    """A view of whole shards whose splits are rows of their train.

    rows  of each split, sorted positions: of test the held-out slice, of train the rest
    """

    whole: ShardSet
    rows: Mapping[str, Rows]

    def __init__(self, whole: ShardSet) -> None:
        table, self.whole = whole.table("train"), whole
        self.rows = {"train": whole.pretraining, "test": whole.holdout}
        splits = {split: _counted(whole.index.splits["train"], table.shard[rows]) for split, rows in self.rows.items()}
        labels = table.label[self.rows["train"]], table.label[self.rows["test"]]
        index = replace(whole.index, splits=splits, holdout=tuple(_second(*labels).tolist()))
        super().__init__(whole.folder, index, whole.verified, whole.stamps, whole.copied_from)

    def table(self, split: str) -> SampleTable:
        return self.whole.table("train").at(self.rows[split])

    def within(self, split: str, subset: Rows | None) -> tuple[ShardSet, str, Rows | None]:
        rows = self.rows[split]
        return self.whole, "train", rows if subset is None else rows[subset]

    def check_unchanged(self, split: str) -> None:
        self.whole.check_unchanged("train")


def _counted(tars: tuple[Shard, ...], shard: NDArray[np.int64]) -> tuple[Shard, ...]:
    """The tars with so many samples as rows (n,) have of each."""
    counts = np.bincount(shard, minlength=len(tars)).tolist()
    return tuple(replace(tar, count=count) for tar, count in zip(tars, counts, strict=True))


def _second(rest: NDArray[np.int64], held: NDArray[np.int64]) -> Rows:
    """Positions in the rest (n,) of a slice as large as the first (m,): of each class its share.

    Where no image has a class, as with several labels, boxes, masks or captions, all are alike.
    """
    asked = rest >= 0 if (rest >= 0).any() else np.ones(len(rest), np.bool_)
    first = int((held >= 0).sum()) or len(held)
    rows = np.flatnonzero(asked)
    return rows[stratified_share(rest[rows], min(MOST, first / max(1, len(rows))), 0, "objective")]
