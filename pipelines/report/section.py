"""A section of the page as data: its words, charts, tables and pictures."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.colours import Style
from pipelines.errors import DamagedFile
from pipelines.records import checked_file
from pipelines.report.charts import Spec
from pipelines.report.opened import Opened
from pipelines.report.study import AnySpec, Result
from pipelines.report.tables import Table
from pipelines.spec.jobs import ShardsSpec

MOST_PICTURE_BYTES = 400_000
"""Larger pictures are left out of the page: it has to stay one small file."""

Part = Literal["leaderboard", "evidence", "looks", "elsewhere", "provenance"]
"""Of the page: sections that answer one kind of question."""


@dataclass(frozen=True)
class Chart:
    """A titled chart on the page."""

    title: str
    spec: Spec


@dataclass(frozen=True)
class Picture:
    """An image that a job left among its artifacts, as a data address; ``wrong``: why it cannot be shown, in its place."""

    title: str
    source: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Panel:
    """A drawing, as SVG or an img element, made of escaped text alone."""

    title: str
    markup: str


@dataclass(frozen=True)
class SectionGroup:
    """Panels of one kind under a heading. remark: what else has to be said."""

    title: str
    words: str
    panels: tuple[Panel, ...]
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A chapter of the page; empty ones are left out. ``name`` is its anchor, caption file and figure file.

    fold  what to press to see its tables; empty where they are open
    part  of the page, in which it stands
    """

    name: str
    title: str
    caption: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    groups: tuple[SectionGroup, ...] = ()
    legend: tuple[tuple[str, Style], ...] = ()
    fold: str = ""
    opened: tuple[Opened, ...] = ()
    part: Part = "evidence"

    @property
    def is_empty(self) -> bool:
        return not (self.charts or self.tables or self.pictures or self.groups or self.opened)


def pictures_of(job: Result[AnySpec]) -> list[Picture]:
    """PNG and JPEG artifacts of a finished job, small ones only, inlined. One that is damaged or gone is told and left out."""
    found = []
    for name, place in sorted(job.record.artifacts.items()) if job.record else ():
        kind = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}.get(Path(place).suffix.lower())
        if job.record and kind:
            title = f"{job.dataset if isinstance(job.spec, ShardsSpec) else job.key}: {name.replace('_', ' ')}"
            try:
                data = checked_file(job.record, job.folder, name).read_bytes()
            except (DamagedFile, OSError):
                told = (
                    f"{place} of {job.stage} {job.key} is missing, or is not what was written; no number depends on it"
                )
                found.append(
                    Picture(title, wrong=f"{told}; python -m pipelines repair STUDY and a new run make it anew")
                )
                continue
            if len(data) <= MOST_PICTURE_BYTES:
                source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
                found.append(Picture(title, source))
    return found


def unshown(sections: Sequence[Section]) -> list[str]:
    """A sentence for every picture that could not be shown."""
    return [f"{picture.title}: {picture.wrong}" for each in sections for picture in each.pictures if picture.wrong]
