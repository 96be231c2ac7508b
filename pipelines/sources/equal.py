"""Equal images, by the hash of their bytes: within a split they count twice, across splits the test is known already."""

from collections.abc import Iterable
from typing import Any

MOST_EXAMPLES = 5
Hashed = list[str]
"""[hash, id]."""


def equal_images(train: Iterable[Hashed], test: Iterable[Hashed]) -> dict[str, Any]:
    """How many images repeat an earlier one of train or of test, and how many of test are in train, with examples.

    examples: [id of the test image, id in train].
    """
    first: dict[str, str] = {}
    again = 0
    for content, name in train:
        again += content in first
        first.setdefault(content, name)
    seen: set[str] = set()
    repeated, across = 0, []
    for content, name in test:
        repeated += content in seen
        seen.add(content)
        if content in first:
            across.append([name, first[content]])
    return {
        "train": again, "test": repeated, "test_in_train": len(across), "examples": sorted(across)[:MOST_EXAMPLES]
    }  # fmt: skip
