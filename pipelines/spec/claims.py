"""Claims: a sentence of a paper as a hypothesis over the runs of a study."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from pipelines.spec.base import Model, NotNegative
from pipelines.spec.monitored import Monitor
from pipelines.spec.runs import Named, short
from pipelines.statistics.relation import Relation


class Runs(Named):
    """Where several runs fit, their values are averaged seed by seed; ``untrained`` is the other group's own encoder."""

    metric: str | None = None
    """Of these runs, where the two sides are measured differently; none: the claim's."""


class Group(Runs):
    """One side of a claim."""

    over: Annotated[Runs | None, BeforeValidator(short)] = None
    """What is subtracted seed by seed: the side is then a gain over these runs."""

    @model_validator(mode="after")
    def _a_gain(self) -> Self:
        if self.over and "untrained" in (self.floor, self.over.floor):
            raise ValueError("a gain is taken between methods and raw pixels; floor untrained has no meaning in it")
        return self


AnyGroup = Annotated[Group, BeforeValidator(short)]


class Claim(Model):
    """What is claimed, of which runs, by which number."""

    text: Annotated[str, Field(min_length=1)]
    """The statement, as a sentence."""
    source: str | None = None
    """Who made it, and where."""
    first: AnyGroup
    second: AnyGroup
    metric: str | None = None
    """A protocol of the study's evaluation by its ``use``, for its top-1 on test images; PROTOCOL/NUMBER where it has
    several (``few_shot/4_shot``); none: the main protocol."""
    monitor: Monitor | None = None
    """In place of ``metric``: a number that training records, at its last reading (``scores/negative_variance``)."""
    relation: Relation = "greater"
    margin: NotNegative = 0.0
    """Points of accuracy; for a monitor in its own unit."""
    dataset: str | None = None
    """The data set measured on; none: a verdict for each."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.metric and self.monitor:
            raise ValueError("give metric (an evaluation) or monitor (a number of the training), not both")
        if self.relation == "equivalent" and not self.margin:
            raise ValueError("equivalent needs a margin above 0: no two numbers are equal within nothing")
        if self.first.floor == "untrained" and self.second.floor == "untrained":
            raise ValueError("first and second are both the untrained encoder; name a method in one of them")
        sides = (self.first, self.second, self.first.over, self.second.over)
        if self.monitor and any(side.metric for side in sides if side):
            raise ValueError("monitor: that is the number of both sides; leave their metric out")
        if self.monitor and (self.first.floor or self.second.floor):
            raise ValueError("monitor: a floor was not trained and has no such number; name methods on both sides")
        return self


class PlannedRuns(Model):
    """Rows of the study's tables, by label. ``untrained``: the own floors of the other side."""

    labels: tuple[str, ...] = ()
    untrained: bool = False
    metric: str | None = None
    """PROTOCOL/NUMBER; none: the claim is about a monitor."""


class PlannedClaim(Model):
    """A claim whose runs have been found in the plan."""

    text: str
    source: str | None = None
    first: PlannedRuns
    first_over: PlannedRuns | None = None
    second: PlannedRuns
    second_over: PlannedRuns | None = None
    monitor: str | None = None
    relation: Relation
    margin: float
    dataset: str | None = None
