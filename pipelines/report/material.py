"""What the sections of a page are made of: a study's results, and what several sections work out of them, once."""

import functools
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import InputError
from pipelines.report.claims import JudgedClaim, judged
from pipelines.report.classes import Confusions, confusions
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.curves import COLLAPSE, SCORES, TRAINING, Curve, curves
from pipelines.report.mixed import Standings
from pipelines.report.pairs import Pair, pairs
from pipelines.report.reproduction import Reproduced, reproduced
from pipelines.report.results import Beside, beside
from pipelines.report.study import Results
from pipelines.report.tuning import SearchResult, searches
from pipelines.spec.published import Published, load_published


@dataclass(frozen=True)
class Material:
    """``texts``: the project's reports folder, with published/, templates/ and captions/; ``page``: the folder of the page;
    ``standing``: how records stand to the code of now, as far as the caller knows."""

    results: Results
    texts: Path
    page: Path
    standing: Standings = field(default_factory=dict)

    def caption(self, section: str) -> tuple[str, ...]:
        """The paragraphs of ``captions/SECTION.md``; the first one goes above a table on its own."""
        path = self.texts / "captions" / f"{section}.md"
        if not path.exists():
            raise InputError(f"{path}: no such file; it comes with the project: restore it from version control")
        return tuple(" ".join(part.split()) for part in path.read_text(encoding="utf-8").split("\n\n") if part.strip())

    @functools.cached_property
    def published(self) -> list[Published]:
        """All published figures."""
        return load_published(self.texts / "published")

    @functools.cached_property
    def comparisons(self) -> list[Comparison]:
        """One for each data set that encoders are evaluated on."""
        return comparisons(self.results, self.standing)

    @functools.cached_property
    def beside(self) -> list[tuple[Comparison, Beside]]:
        """Each comparison with the published figures that are printed beside its numbers."""
        return [(comparison, beside(comparison, self.published)) for comparison in self.comparisons]

    @functools.cached_property
    def verdicts(self) -> list[JudgedClaim]:
        """Every claim of the study on every data set it is about."""
        return judged(self.results, self.comparisons)

    @functools.cached_property
    def reproduced(self) -> list[Reproduced]:
        """Every published figure that the study sets out to reproduce."""
        return reproduced(self.results, self.comparisons)

    @functools.cached_property
    def paired(self) -> list[tuple[Comparison, list[Pair]]]:
        """Each comparison with its pairs of rows."""
        return [(comparison, list(pairs(comparison))) for comparison in self.comparisons]

    @functools.cached_property
    def confusions(self) -> list[list[Confusions]]:
        """What was said of single test images, a list a data set."""
        return [confusions(self.results, comparison) for comparison in self.comparisons]

    @functools.cached_property
    def searches(self) -> list[SearchResult]:
        """The finished tuning studies."""
        return searches(self.results)

    @functools.cached_property
    def curves(self) -> list[Curve]:
        """What pretraining has recorded of itself, of the numbers that several sections draw."""
        return curves(self.results, [*TRAINING, *SCORES, *COLLAPSE])
