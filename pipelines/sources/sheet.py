"""A sheet of sample images of a split, for a person to look at: are these the right images, the right way up, in colour?"""

import mmap
from pathlib import Path

from PIL import Image

from pipelines.files import replacing
from pipelines.sources.index import Index
from pipelines.sources.tars import scan
from pipelines.sources.whole import shown

COLUMNS, ROWS = 6, 2
CELL, GAP = 80, 4
"""Pixels."""
GROUND = (128, 128, 128)


def write_sheet(folder: Path, index: Index, split: str) -> str:
    """Leave ``samples-SPLIT.jpg`` beside the shards; its name. The split's first twelve images, which are a fair sample:
    splits are packed in random order. Each whole, decoded as the data set says, and sized to fit its cell; of more than
    three channels the first three, as red, green and blue."""
    size = (GAP + COLUMNS * (CELL + GAP), GAP + ROWS * (CELL + GAP))
    sheet, name = Image.new("RGB", size, GROUND), f"samples-{split}.jpg"
    for number, data in enumerate(_first(folder / index.splits[split][0].name, COLUMNS * ROWS)):
        image = _fitting(shown(data, index.decoding))
        row, column = divmod(number, COLUMNS)
        left, top = (GAP + place * (CELL + GAP) for place in (column, row))
        sheet.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
    with replacing(folder / name) as part:
        sheet.save(part, "jpeg", quality=85, subsampling=0)
    return name


def _first(tar: Path, count: int) -> list[bytes]:
    """The first images of a shard."""
    with tar.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        places = scan(view)[:count]
        view.release()
        return [data[start : start + length] for start, length in (place.image for place in places)]


def _fitting(image: Image.Image) -> Image.Image:
    """The image in a cell: small ones enlarged pixel by pixel, large ones reduced; no side falls below a pixel."""
    scale = CELL / max(image.size)
    if scale >= 2:
        return image.resize((image.width * int(scale), image.height * int(scale)), Image.Resampling.NEAREST)
    size = (max(1, min(CELL, round(side * scale))) for side in image.size)
    return image.resize(tuple(size), Image.Resampling.BILINEAR)  # type: ignore[arg-type]
