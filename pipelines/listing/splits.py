"""Which split a folder's name says, as people write it: ``Train``, ``test_set``, ``val2017``, ``images-train``."""

import re

WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
}  # fmt: skip
"""Lower-case word -> the split it says."""
BESIDE = "(?:data|folder|images?|imgs?|pics|pictures|set|split)"
PATTERN = re.compile(rf"{BESIDE}*({'|'.join(sorted(WORDS, key=len, reverse=True))}){BESIDE}*")
KNOWN = f"{', '.join(sorted(WORDS))}, in any case, also with set, data, images or a number"
"""In words, for messages."""


def split_of(name: str) -> str | None:
    """train, test or val; None where the name says none."""
    found = PATTERN.fullmatch(re.sub("[^a-z]", "", name.lower())) if name.isascii() else None
    return WORDS[found[1]] if found else None
