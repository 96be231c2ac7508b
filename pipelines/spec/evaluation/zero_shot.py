"""Options of zero-shot classification."""

from typing import ClassVar, Literal

from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.templates import Templates


class Options(Protocol):
    """Classes by their described names (Radford et al. 2021, arXiv:2103.00020); only for methods that read text."""

    use: Literal["zero_shot"] = "zero_shot"
    needs_text: ClassVar[bool] = True
    templates: Templates | None = None
    """Descriptions of a class, averaged; none: those the method was trained with."""

    def check_counts(self, counts: Counts) -> None:
        counts.check_classes("zero_shot", "test", counts.test)
