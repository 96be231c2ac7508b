"""The data section: what each data set holds, from what packing left beside its shards."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.files import read_json
from pipelines.report.behind import of_jobs
from pipelines.report.material import Material
from pipelines.report.section import Picture, Section, pictures_of
from pipelines.report.study import Result
from pipelines.report.tables import Entry, Table
from pipelines.spec.contents import channel_names, packed_contents
from pipelines.spec.datasets.webdataset import Options as WebDataset
from pipelines.spec.images_told import few, images_told
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import INDEX

ORDER = 120
ALERTS = (
    "classes missing from train",
    "classes missing from test",
    "classes of one image",
    "extreme shapes",
    "unreadable",
    "equal images",
)
"""What a reader should worry about."""
MOST_CLASSES = 20


def sections(material: Material) -> Iterator[Section]:
    """A table of all data sets that are packed, and sheets of their images; empty where none is."""
    packed = [job for job in material.results.of(ShardsSpec) if job.record and (job.folder / INDEX).exists()]
    rows = [row for job in packed for row in _rows(job)]
    words = material.caption("data")
    table = Table("data", words[0], ("data set", "what", "found"), tuple(rows), text_columns=3)
    pictures: list[Picture] = [picture for job in packed for picture in pictures_of(job)]
    tables = (table,) if rows else ()
    yield Section("data", "Data", words, tables=tables, pictures=tuple(pictures), part="provenance")


def _rows(job: Result[ShardsSpec]) -> list[tuple[Entry, ...]]:
    facts = [(what, words) for what, words in _facts(job).items() if words]
    behind = of_jobs(f"{job.dataset} · images and shards", [job])
    return [
        (
            Entry(job.dataset if number == 0 else "", bold=True),
            Entry(what, bold=what in ALERTS),
            Entry(words, behind=behind if any(map(str.isdigit, words)) else None),
        )
        for number, (what, words) in enumerate(facts)
    ]


def _facts(job: Result[ShardsSpec]) -> dict[str, str]:
    """What -> in words, in the order of the page; empty words where there is nothing to tell."""
    index: Mapping[str, Any] = read_json(job.folder / INDEX)
    contents = packed_contents(job.folder / INDEX)
    return {
        "layout": index.get("layout") or job.spec.dataset.use,
        **(contents.facts if contents else {}),
        "class numbers given": _given(job, index),
        **images_told(index),
        "stored values": _values(index),
        **{f"left out: {kind}": few(found) for kind, found in index.get("skipped", {}).items()},
    }


def _given(job: Result[ShardsSpec], index: Mapping[str, Any]) -> str:
    """Class numbers of tars that are not 0, 1, ...: they are numbered anew."""
    names = index["classes"]
    if not isinstance(job.spec.dataset, WebDataset) or names == [str(number) for number in range(len(names))]:
        return ""
    shown = ", ".join(names[:MOST_CLASSES]) + ", ..." * (len(names) > MOST_CLASSES)
    return f"{shown}; here they are 0 to {len(names) - 1} in this order"


def _values(index: Mapping[str, Any]) -> str:
    """The stored values of each channel, and which of them become 0 and 1; where it is said how many channels there are."""
    values, ranges = index.get("values"), index.get("spec", {}).get("value_range")
    if not values:
        return ""
    each = [
        f"{name} {low} to {high}"
        for name, low, high in zip(channel_names(index["channels"]), values["lowest"], values["highest"])
    ]
    taken = " and ".join(f"{low} to {high}" for low, high in ranges) if ranges else "the whole range of 8 or 16 bits"
    return f"{', '.join(each)}; between 0 and 1 lie {taken}"
