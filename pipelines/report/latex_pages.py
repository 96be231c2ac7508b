"""Which rows of which block stand on which page, when a table is longer than one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.report.latex_layout import SIZES, StackedBlock
from pipelines.report.latex_widths import TEXT_HEIGHT, TEXT_WIDTH, broken, lines_of
from pipelines.report.tables import Table

_ROOM = 0.95 * TEXT_HEIGHT
_RULES, _HEADING, _BETWEEN, _CAPTION = 14.0, 7.0, 8.0, 24.0
"""Points of the rules of a block, of the space above a heading, above a block and around a caption."""
_NOTE = SIZES[-1]


@dataclass(frozen=True)
class BlockPart:
    """Rows ``start`` to ``stop`` of a block."""

    block: StackedBlock
    start: int
    stop: int


@dataclass
class Page:
    """What one floating table holds: parts of blocks, then lines below them."""

    parts: list[BlockPart] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    used: float = _CAPTION


def pages_of(table: Table, layouts: Iterable[Sequence[StackedBlock]], below: Sequence[str]) -> list[Page]:
    """The first layout that needs no more pages than any other. ``below``: footnotes and remarks, as they are printed."""
    return min((_filled(table, blocks, below) for blocks in layouts), key=len)


def _filled(table: Table, blocks: Sequence[StackedBlock], below: Sequence[str]) -> list[Page]:
    """The blocks one below the other, cut where a page ends."""
    pages = [Page(used=_CAPTION + SIZES[0].line * lines_of(f"Table 1: {table.caption}", TEXT_WIDTH))]
    for block in blocks:
        _place(pages, block, list(_heights(table, block)))
    for line in below:
        height = _NOTE.line * lines_of(line, TEXT_WIDTH / _NOTE.scale)
        if pages[-1].used + height > _ROOM:
            pages.append(Page())
        pages[-1].below.append(line)
        pages[-1].used += height
    return pages


def _place(pages: list[Page], block: StackedBlock, heights: Sequence[float]) -> None:
    """The rows of a block, on a page of their own where they fit that but not what is left of this one."""
    start, fresh = 0, _ROOM - _CAPTION - _top(block)
    while True:
        room, whole = _ROOM - pages[-1].used - _top(block), sum(heights[start:])
        if pages[-1].parts and whole > room and (whole <= fresh or room < fresh / 3):
            pages.append(Page())
            continue
        stop = start + 1
        while stop < len(heights) and sum(heights[start : stop + 1]) <= room:
            stop += 1
        pages[-1].parts.append(BlockPart(block, start, stop))
        pages[-1].used += _top(block) + sum(heights[start:stop])
        if stop >= len(heights):
            return
        start = stop
        pages.append(Page())


def _top(block: StackedBlock) -> float:
    """Points of the header and the rules of a block."""
    scale, lines = block.size.scale, max(len(column.lines) for column in block.columns)
    above = max(
        (len(broken(title, block.span(place) / scale)) for place, (title, _) in enumerate(block.groups)), default=0
    )
    return _BETWEEN + _RULES + block.size.line * (lines + above) + 6.0 * bool(above)


def _heights(table: Table, block: StackedBlock) -> Iterator[float]:
    """Points of every row, with the heading above it."""
    headings, size = dict(table.sections), block.size
    for number, row in enumerate(table.rows):
        above = 0.0
        if number in headings:
            above = _HEADING + size.line * lines_of(headings[number], max(block.width, 100.0) / size.scale)
        texts = [
            lines_of(row[place].text, column.paragraph / size.scale)
            for place, column in zip(block.places, block.columns, strict=True)
            if column.paragraph
        ]
        yield above + size.line * max(texts, default=1)
