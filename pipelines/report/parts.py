"""The order of the page: leaderboard, evidence, pictures, published figures, provenance; the answer stands above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.section import Part, Section

TITLES: dict[Part, str] = {
    "leaderboard": "Leaderboard",
    "evidence": "Evidence",
    "looks": "Pictures",
    "elsewhere": "Published",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class PagePart:
    """Sections that answer one kind of question."""

    name: Part
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def folded(self) -> bool:
        """Whether each of its sections is shut until a reader opens it."""
        return self.name == "evidence"


def parts(sections: Sequence[Section]) -> tuple[PagePart, ...]:
    """Every section that has something, in the order of the page; inside a part as they came. Provenance is always there."""
    shown = [section for section in sections if not section.is_empty]
    made = [PagePart(name, tuple(each for each in shown if each.part == name)) for name in TITLES]
    return tuple(part for part in made if part.sections or part.name == "provenance")
