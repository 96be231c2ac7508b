"""The order of the page: leaderboard, evidence, pictures, published figures, provenance; the answer stands above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.sections import Section

PICTURES = {"pictures"}
PUBLISHED = {"reproduction", "published"}
PROVENANCE = {"data", "settings", "timings", "numbers", "jobs"}


@dataclass(frozen=True)
class PagePart:
    """Sections that answer one kind of question. ``folded``: each is shut until a reader opens it."""

    name: str
    title: str
    sections: tuple[Section, ...]
    folded: bool = False


def parts(sections: Sequence[Section]) -> tuple[PagePart, ...]:
    """Every section that has something, in the order of the page; inside a part as they came. Provenance is always there."""
    found: dict[str, list[Section]] = {}
    for section in sections:
        if not section.is_empty:
            found.setdefault(_part(section.name), []).append(section)
    made = [
        PagePart("leaderboard", "Leaderboard", tuple(found.get("leaderboard", ()))),
        PagePart("evidence", "Evidence", tuple(found.get("evidence", ())), folded=True),
        PagePart("looks", "Pictures", tuple(found.get("looks", ()))),
        PagePart("elsewhere", "Published", tuple(found.get("elsewhere", ()))),
        PagePart("provenance", "Provenance", tuple(found.get("provenance", ()))),
    ]
    return tuple(part for part in made if part.sections or part.name == "provenance")


def _part(section: str) -> str:
    """A data set's main table is named ``results`` or ``results-DATASET``."""
    if section.split("-")[0] == "results":
        return "leaderboard"
    for name, inside in (("looks", PICTURES), ("elsewhere", PUBLISHED), ("provenance", PROVENANCE)):
        if section in inside:
            return name
    return "evidence"
