"""Test images of one data set that a pretraining on another one has seen: equal bytes, by the hashes that packing noted."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.spec.layout import INDEX, NOTES

PRETRAINED_ON = "test_images_pretrained_on"
"""Flag of an evaluation's record, and the name of the count in it."""
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class SeenBefore:
    """How many test images were among those pretrained on, and of how many; examples: [id in test, id in pretraining]."""

    count: int
    of: int
    examples: tuple[tuple[str, str], ...]

    @property
    def words(self) -> str:
        """``3 of 100 (test/a.png is train/b.png, ...)``."""
        few = "; ".join(f"{one} is {other}" for one, other in self.examples)
        return f"{self.count} of {self.of} ({few}{'; ...' * (self.count > len(self.examples))})"


@functools.cache
def seen_before(pretrained_on: Path, measured_on: Path) -> SeenBefore | None:
    """Of two folders of finished shards; the held-out images of the first do not count, as no training sees them.

    None where a note on the shards is missing or damaged, or of an earlier program. The same picture in another file format or
    size has other bytes, and is not found.
    """
    trained, asked = _hashes(pretrained_on, "train", pretraining=True), _hashes(measured_on, "test", pretraining=False)
    if trained is None or asked is None:
        return None
    known = dict(reversed(trained))
    found = sorted((name, known[content]) for content, name in asked if content in known)
    return SeenBefore(len(found), len(asked), tuple(found[:MOST_EXAMPLES]))


def _hashes(folder: Path, split: str, *, pretraining: bool) -> list[tuple[str, str]] | None:
    """(hash, id) of every image of a split; ``pretraining``: without those held out."""
    shards = read_json(folder / INDEX)["splits"][split]
    files = [folder / NOTES / f"{shard['name']}.json" for shard in shards]
    try:
        found = [read_json(file).get("found", {}) for file in files]
    except InputError:  # missing, or damaged, which verify tells
        return None
    if sum(len(each.get("hashes", [])) for each in found) != sum(shard["count"] for shard in shards):
        return None
    return [pair for each in found for pair in _of_shard(each, pretraining)]


def _of_shard(found: dict[str, Any], pretraining: bool) -> Iterator[tuple[str, str]]:
    held = set(found["holdout"]) if pretraining else set()
    return ((content, name) for place, (content, name) in enumerate(found["hashes"]) if place not in held)
