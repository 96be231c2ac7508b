"""What a study reproduces: a row of its tables, a published figure, and how far apart the two may lie."""

from typing import Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Model, Positive
from pipelines.spec.published import Published
from pipelines.spec.runs import Named

Difference = Literal["online", "best_epoch", "features", "neighbours", "epochs", "batch_size", "holdout"]
"""In what a figure and a row may differ and still be set side by side, where the study says so."""


class Reproduction(Named):
    """One row of the study against one published figure."""

    metric: str | None = None
    """What is measured: a protocol of the study's evaluation (``knn``), or PROTOCOL/NUMBER; none: the main one."""
    dataset: str | None = None
    """The data set, where the study pretrains on several."""
    published: str
    """The id of a figure in reports/published."""
    within: Positive
    """Points: how far the row's mean may lie from the figure, on either side."""
    differs: tuple[Difference, ...] = ()
    """In what the two differ by protocol or length of training: all of it, and nothing else. It is printed with the verdict."""

    @model_validator(mode="after")
    def _a_trained_row(self) -> Self:
        if self.floor or self.tuned:
            raise ValueError("a published figure is of a method with settings as published; leave floor and tuned out")
        return self


class PlannedReproduction(Model):
    """A reproduction whose row has been found in the plan, with its figure.

    number   PROTOCOL/NUMBER
    dataset  pretrained on, and measured on
    differs  in sentences, what sets the row apart from the figure
    """

    label: str
    number: str
    dataset: str
    figure: Published
    within: float
    differs: tuple[str, ...] = ()
