"""Tuning: which options Optuna searches, with how many trials, and what it maximises."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Model, Name, Share
from pipelines.spec.mistakes import suggestion


class Range(Model):
    """An interval of numbers, searched uniformly or in the logarithm."""

    low: float
    high: float
    log: bool = False
    complement: bool = False
    """Search 1 - value in the logarithm (momentum: 0.9, 0.99 and 0.999 are equal steps)."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low {self.low}, high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must be above 0, got low {self.low}")
        if self.complement and (self.log or not 0 <= self.low < self.high < 1):
            raise ValueError(f"complement needs 0 <= low < high < 1 and no log, got low {self.low}, high {self.high}")
        return self


Space = dict[str, Range]
"""Option path (temperature, feature_transform.positive.alpha) -> range."""


class Search(Model):
    """One Optuna study: how many trials of what, and what they maximise."""

    trials: Count
    objective: Literal["knn"] = "knn"
    """Top-1 of weighted kNN, queries from the held-out slice, bank from the rest of train; higher is better."""
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    prune_below: Share = 0.0
    """Stop a trial that ranks in this lowest share at an equal epoch; 0: no pruning (curves cross)."""
    seed: int = Field(default=0, ge=0)
    space: Space = {}
    """Searched for every method named."""


class Tuning(Search):
    """An Optuna study for each method named; all get the same number of trials."""

    workers: Count = 1
    """Jobs that share the trials; they change the order of results, not their number."""
    epochs: Count | None = None
    """Epochs of a trial, the warm-up shortened in proportion; none: as in training."""
    methods: tuple[Name, ...] = Field(min_length=1)
    """Labels of the methods to tune."""
    extra: dict[str, Space] = {}
    """Label -> what is searched for this method besides."""

    @model_validator(mode="after")
    def _known_labels(self) -> Self:
        for label in self.extra:
            if label not in self.methods:
                known = list(self.methods)
                raise ValueError(f"extra.{label}: not among the methods to tune; {suggestion(label, known)}")
        for label in self.methods:
            if not self.space_of(label):
                raise ValueError(f"{label}: nothing to search; give space or extra.{label}")
        return self

    def space_of(self, label: str) -> Space:
        """All that is searched for one method."""
        return {**self.space, **self.extra.get(label, {})}

    def search_of(self, label: str) -> Search:
        """One method's search: nothing of the other methods or of how jobs are cut."""
        fields = {name: getattr(self, name) for name in Search.model_fields}
        return Search(**{**fields, "space": self.space_of(label)})
