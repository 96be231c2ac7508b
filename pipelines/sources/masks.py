"""The masks of a split's images, cut as the images are."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.sources.images import square
from pipelines.sources.reader import ShardSet

MASK = "mask.png"
"""The member of a sample that holds its mask."""


def masks_of(shards: ShardSet, split: str, side: int) -> NDArray[np.uint8]:
    """(n, side, side) class numbers in reading order; a pixel takes its nearest one's, no two are mixed."""
    table, found = shards.table(split), []
    for number, shard in enumerate(shards.index.splits[split]):
        data = shards.verified_bytes(shard)
        for offset, size in table.fields[MASK.partition(".")[0]][table.shard == number].tolist():
            with Image.open(io.BytesIO(data[offset : offset + size])) as mask:
                found.append(np.asarray(square(mask, side, Image.Resampling.NEAREST)))
    return np.stack(found)
