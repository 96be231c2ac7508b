"""What a data set holds: counted from its files before it is packed where that is quick, and told by its index afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.files import read_json
from pipelines.listing.kinds import in_words
from pipelines.spec.counts import Counts

MOST_CLASSES = 10
"""Classes that are told one by one."""
MOST_NAMES = 5


@dataclass(frozen=True)
class Contents:
    """Images of a data set.

    train, test  how many, with and without label; train with the held-out ones
    held         of train, kept for choices
    counts       of each class; no classes where nothing is labelled
    skipped      what else lies among them: kind -> {"count", "examples"}
    """

    train: int
    held: int
    test: int
    counts: Counts
    skipped: Mapping[str, Any]

    @property
    def facts(self) -> dict[str, str]:
        """What of it -> in words: the splits with their classes, and classes that lack images."""
        names = self.counts.names
        train = f"{self.train} images, {self.held} of them held out for choices{_each(names, self.counts.train)}"
        test = f"{self.test} images{_each(names, self.counts.test)}"
        bare = {"train": self.train - sum(self.counts.train), "test": self.test - sum(self.counts.test)}
        told = ", ".join(f"{count} of {split}" for split, count in bare.items() if count and names)
        unlabelled = {"without a label": told} if told else {}
        return {"train": train, "test": test, **unlabelled, **lacking(names, self.counts.train, self.counts.test)}

    @property
    def lines(self) -> list[str]:
        """A few lines for a person."""
        told = self.facts | ({"left out": in_words(self.skipped)} if self.skipped else {})
        return [f"{what}: {words}" for what, words in told.items()]


def packed_contents(index: Path) -> Contents | None:
    """Of shards that are packed, by their index.json; None where an earlier program did not count the held-out images."""
    found = read_json(index)
    counts = found.get("class_counts", {})
    if "holdout" not in counts:
        return None
    of_train, held, of_test = (tuple(counts[name]) for name in ("train", "holdout", "test"))
    each = Counts(of_train, held, of_test, tuple(found["classes"]))
    train, test = (sum(shard["count"] for shard in found["splits"][name]) for name in ("train", "test"))
    return Contents(train, len(found["holdout"]), test, each, found.get("skipped", {}))


def lacking(names: Sequence[str], train: Sequence[int], test: Sequence[int]) -> dict[str, str]:
    """What is wrong with some classes -> how many, and the first names: ``2: cat, dog``."""
    wrong = {
        "classes missing from train": [name for name, count in zip(names, train) if not count],
        "classes missing from test": [name for name, count in zip(names, test) if not count],
        "classes of one image": [name for name, *counts in zip(names, train, test) if sum(counts) == 1],
    }
    return {
        what: f"{len(found)}: {', '.join(found[:MOST_NAMES])}{', ...' * (len(found) > MOST_NAMES)}"
        for what, found in wrong.items()
        if found
    }


def _each(names: Sequence[str], counts: Sequence[int]) -> str:
    """``; cat: 3, dog: 2``, or of many classes the fewest and the most."""
    if len(names) > MOST_CLASSES:
        least, most = min(zip(counts, names)), max(zip(counts, names))
        return f"; {len(names)} classes, from {least[0]} ({least[1]}) to {most[0]} ({most[1]}) images"
    return f"; {', '.join(f'{name}: {count}' for name, count in zip(names, counts))}" if names else ""


def channel_names(count: int) -> tuple[str, ...]:
    """What channels are called: three are red, green and blue."""
    known = {1: ("grey",), 3: ("red", "green", "blue")}
    return known.get(count) or tuple(f"channel {number}" for number in range(1, count + 1))
