"""The pictures that jobs left, of one seed a method: views, reconstructions, neighbours, maps, confusions.

A picture that is missing, damaged or too much for the page is left out and counted; it never ends the report.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import escape

from pipelines.contact_sheet import ABOUT, Sheet
from pipelines.errors import Problem
from pipelines.files import read_sealed
from pipelines.records import checked_file
from pipelines.report import drawings
from pipelines.report.material import Material
from pipelines.report.section import Panel, Section, SectionGroup
from pipelines.report.study import AnySpec, Result, Results
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec

ORDER = 180
MOST_BYTES = 400_000
"""Of one picture."""
BUDGET = 6_000_000
"""Characters of all pictures on a page of few runs."""
PAGE, A_RUN, SCRIPT = 9_600_000, 20_700, 900_000
"""Characters: a whole page, which has to stay under 10 MB; what a pretraining adds to its charts and tables, 16,700 as measured
on made-up studies of 20 methods, 6 seeds and 3 data sets (6.8 MB without pictures), and 4,000 to what is behind the numbers
(1.4 MB with four protocols); and the script that draws charts."""
VIEWS = "views"
"""A picture that every pretraining with pictures leaves."""
NEIGHBOURS = "neighbours"
"""A picture that every kNN evaluation with pictures leaves."""
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
Job = Result[Any]


@dataclass
class Reader:
    """Reads pictures of jobs until the page is full, and notes which it left out; one that is there already takes no room."""

    room: int = BUDGET
    shown: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    crowded_out: list[str] = field(default_factory=list)

    def address(self, job: Job, name: str) -> str | None:
        """A picture as a data address; None where it cannot be had, which is noted. The one place that reads one."""
        try:
            assert job.record, "of finished jobs"
            path = checked_file(job.record, job.folder, name)
            data = path.read_bytes()
        except (Problem, OSError):
            self.unreadable.append(f"{job.key}: {name}")
            return None
        text = f"data:image/{KINDS[path.suffix.lower()]};base64,{base64.b64encode(data).decode('ascii')}"
        if len(data) > MOST_BYTES or (len(text) > self.room and text not in self.shown):
            self.crowded_out.append(f"{job.key}: {name}")
            return None
        self.room -= 0 if text in self.shown else len(text)
        self.shown.add(text)
        return text

    def sheet(self, job: Job, name: str) -> tuple[Sheet, str] | None:
        """A contact sheet and its picture; None where either cannot be had."""
        try:
            assert job.record, "of finished jobs"
            sheet = Sheet.load(checked_file(job.record, job.folder, f"{name}{ABOUT}"))
        except Problem:
            self.unreadable.append(f"{job.key}: {name}")
            return None
        address = self.address(job, name)
        return (sheet, address) if address else None

    def points(self, job: Job) -> dict[str, Any] | None:
        """Where the images of a map lie; None where that cannot be had."""
        try:
            assert job.record, "of finished jobs"
            found = read_sealed(checked_file(job.record, job.folder, "map_points"), "run its job again")
            return found if found["points"] and found["classes"] else None
        except (Problem, KeyError):
            self.unreadable.append(f"{job.key}: map")
            return None


def sections(material: Material) -> Iterator[Section]:
    """All pictures that the page has room for beside its runs."""
    yield pictures_section(material, room_for(len(material.results.of(PretrainSpec))))


def pictures_section(material: Material, room: int) -> Section:
    """All of them up to ``room`` characters; the sheets of packing stand in the section of the data."""
    results, reader = material.results, Reader(room)
    runs = results.of(PretrainSpec)
    trained = first_seeds(results, [job for job in runs if _has_pictures(job)])
    by_knn = [job for job in results.of(EvaluateSpec) if isinstance(job.spec.evaluation, Knn)]
    looked = first_seeds(results, [job for job in by_knn if NEIGHBOURS in _artifacts(job)])
    words = material.caption("pictures")
    made = [
        SectionGroup("Views", words[1], tuple(_sheets(trained, VIEWS, reader))),
        SectionGroup("What a method makes of images", words[2], tuple(_plain(trained, reader))),
        SectionGroup("Nearest neighbours", words[3], tuple(_sheets(looked, NEIGHBOURS, reader))),
        SectionGroup("Maps of the test images", words[4], tuple(_maps(looked, reader))),
        SectionGroup("Worst confusions", words[5], tuple(_sheets(looked, "confusions", reader))),
    ]
    groups = [group for group in made if group.panels]
    left_out = (*_told(reader), *_never_made(runs, VIEWS), *_never_made(by_knn, NEIGHBOURS))
    return Section("pictures", "Pictures", (words[0], *left_out), groups=tuple(groups), part="looks")


def room_for(runs: int) -> int:
    """Characters left for pictures on a page of so many pretrainings."""
    return max(0, min(BUDGET, PAGE - SCRIPT - A_RUN * runs))


def first_seeds(results: Results, jobs: Sequence[Job]) -> list[Job]:
    """Of each label, data set and pretraining data the finished job of the lowest seed."""
    found: dict[tuple[str, ...], Job] = {}
    for job in sorted((job for job in jobs if job.record), key=lambda job: job.seed or 0):
        trained = results.pretraining(job)
        found.setdefault((job.label, job.dataset, trained.dataset if trained else "", _about(job)), job)
    order = {id(job): number for number, job in enumerate(jobs)}
    return sorted(found.values(), key=lambda job: order[id(job)])


def _about(job: Job) -> str:
    """What tells jobs of one label and data sets apart besides the seed."""
    spec: AnySpec = job.spec
    return str(spec.model_dump(mode="json", exclude={"seed", "pictures"}))


def _sheets(jobs: Sequence[Job], name: str, reader: Reader) -> Iterator[Panel]:
    """One for every sheet; of those that are the same picture, as views of one recipe and seed are, the first alone."""
    titles: dict[str, list[str]] = {}
    for job in jobs:
        if name in _artifacts(job) and (found := reader.sheet(job, name)):
            titles.setdefault(drawings.labelled(*found), []).append(_title(job))
    for markup, same in titles.items():
        more = f", and of {', '.join(same[1:])}" if len(same) > 1 else ""
        yield Panel(same[0] + more, markup)


def _plain(jobs: Sequence[Job], reader: Reader) -> Iterator[Panel]:
    """Pictures without a description, such as MAE's reconstructions."""
    for job in jobs:
        for name, place in sorted(_artifacts(job).items()):
            described = f"{name}{ABOUT}" in _artifacts(job)
            if Path(place).suffix.lower() in KINDS and not described and (address := reader.address(job, name)):
                words = escape(f"{job.label}: {name.replace('_', ' ')}")
                yield Panel(_title(job), f'<img src="{address}" alt="{words}">')


def _maps(jobs: Sequence[Job], reader: Reader) -> Iterator[Panel]:
    """A map a method; the images themselves once a data set, as all maps of it show the same."""
    sprites: dict[str, str] = {}
    for job in jobs:
        if "map" not in _artifacts(job) or not (points := reader.points(job)):
            continue
        if job.dataset not in sprites:
            if not (found := reader.sheet(job, "map")):
                continue
            sprites[job.dataset] = f"images-{len(sprites)}"
            sheet, address = found
            yield Panel(f"{job.dataset}: the images", drawings.sprite(sprites[job.dataset], sheet, address))
        yield Panel(_title(job), drawings.scatter(_title(job), points, sprites[job.dataset]))


def _artifacts(job: Job) -> dict[str, str]:
    return job.record.artifacts if job.record else {}


def _has_pictures(job: Job) -> bool:
    return any(Path(place).suffix.lower() in KINDS for place in _artifacts(job).values())


def _title(job: Job) -> str:
    seed = "" if job.seed is None or job.origin == "pixels" else f", seed {job.seed}"
    return f"{job.dataset} · {job.label}{seed}"


def _never_made(jobs: Sequence[Job], name: str) -> Iterator[str]:
    """What is said of jobs that should have left a picture of this name."""
    asked = [job for job in jobs if job.record and job.spec.pictures]
    without = [job.key for job in asked if name not in _artifacts(job)]
    if without:
        yield (
            f"No pictures called {name} were left by these jobs: a study that shows other seeds made them, or older code; to "
            f"have them, delete their folders in jobs and run the study again: {', '.join(without)}."
        )


def _told(reader: Reader) -> Iterator[str]:
    if reader.unreadable:
        listed = ", ".join(dict.fromkeys(reader.unreadable))
        yield f"Left out because their files are missing or damaged ({len(reader.unreadable)}): {listed}."
    if reader.crowded_out:
        count = len(reader.crowded_out)
        yield f"{count} more pictures would make this page too large; they lie in the folders of their jobs."
