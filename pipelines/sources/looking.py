"""A look at some images before any is packed: their sizes and channels, and what is wrong with them."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator

from PIL import Image

from pipelines.sources.base import Split
from pipelines.sources.equal import Hashed, equal_images
from pipelines.sources.images import Decoding, Unreadable, decoded, is_extreme, reduced
from pipelines.sources.whole import shown
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.images_told import EQUAL, changed_told

MOST_OPENED = 100
"""Images of a split that are decoded."""
MOST_NAMED = 3
MOST_COMPARED = 20_000
"""Images of both splits together that are read whole to find equal ones: seconds of a local disk."""


def pixels_told(split: Split, dataset: DataSet) -> dict[str, str]:
    """Sizes and channels of some images of a split, in words; what is changed; strips and unreadable ones by name.

    They are drawn at random, always the same: with evenly spaced ones, kinds of images that take turns would hide each other.
    """
    decoding = Decoding.of(dataset.model_dump())
    sizes, modes, changed = list[tuple[int, int]](), Counter[str](), Counter[str]()
    strips, unreadable = list[str](), list[str]()
    rows = sorted(random.Random(0).sample(range(len(split)), min(len(split), MOST_OPENED)))
    for row in rows:
        try:
            image, changes = _opened(split.read(row).image, decoding)
        except (OSError, Unreadable) as error:
            unreadable.append(f"{split.ids[row]} ({error})")
            continue
        sizes.append(image.size)
        changed.update(changes)
        seen = "grey" if image.mode == "L" else "colour"
        modes[f"of {decoding.channels} channels" if decoding.channels else seen] += 1
        if is_extreme(image.size):
            strips.append(f"{split.ids[row]} ({image.width}x{image.height})")
    told = {}
    if sizes:
        wide, high = (f"{min(sides)} to {max(sides)}" if len({*sides}) > 1 else str(sides[0]) for sides in zip(*sizes))
        told["opened"] = (
            f"{len(rows)}: {wide} pixels wide, {high} high, {', '.join(f'{n} {mode}' for mode, n in modes.items())}"
        )
    if changed:
        told["changed"] = changed_told(changed)
    for what, found in (("extreme shapes", strips), ("unreadable", unreadable)):
        told |= {what: f"{len(found)} of {len(rows)}: {'; '.join(found[:MOST_NAMED])}"} if found else {}
    if len(unreadable) > dataset.max_unreadable * len(rows):
        told["unreadable"] += f"; packing refuses more than {dataset.max_unreadable:g} of all (dataset.max_unreadable)"
    return told


def _opened(data: bytes, decoding: Decoding) -> tuple[Image.Image, list[str]]:
    """The picture, and how it was changed; Unreadable."""
    if decoding.channels:
        return shown(data, decoding), []
    image, changed = decoded(data, decoding)
    return image, [*changed, *reduced(data)]


def equal_told(train: Split, test: Split) -> str:
    """Images that are equal byte by byte, in words; "none", or that there are too many to read them all here."""
    count = len(train) + len(test)
    if count > MOST_COMPARED:
        return f"not compared here, of {count:,} images; packing compares them all and tells"
    found = equal_images(_hashed(train), _hashed(test))
    told = [f"{found[name]} {what}" for name, what in EQUAL.items() if found[name]]
    pairs = "; ".join(f"{one} is {other}" for one, other in found["examples"][:MOST_NAMED])
    more = "; ..." * (found["test_in_train"] > MOST_NAMED)
    warning = f" ({pairs}{more}); every number on test would be too high: take them out of one of the two"
    return (", ".join(told) or "none") + warning * bool(found["test_in_train"])


def _hashed(split: Split) -> Iterator[Hashed]:
    """Of every image that can be read."""
    for row, name in enumerate(split.ids):
        try:
            yield [hashlib.sha256(split.read(row).image).hexdigest(), name]
        except (OSError, Unreadable):
            continue  # told above, or when it is packed
