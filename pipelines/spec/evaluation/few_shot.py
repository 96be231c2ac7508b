"""Options of few-shot classification."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.errors import InputError
from pipelines.spec.base import Count, Positive
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """A few labelled images a class, on frozen features: over all classes, or with ``ways`` in episodes of few classes."""

    use: Literal["few_shot"] = "few_shot"
    shots: tuple[Count, ...] = Field(default=(1, 2, 4, 8, 16), min_length=1)
    """Labelled images a class, each a number of its own in the results."""
    ways: int | None = Field(default=None, ge=2)
    """Classes of an episode drawn from test; none: all classes, learnt from train, tested on all of test."""
    queries: Count = 15
    """Images a class that an episode asks for."""
    draws: Count | None = None
    """Draws of the labelled images, or episodes; none: 10, or 600 episodes."""
    classifier: Literal["logistic", "centroid"] | None = None
    """L2-regularised logistic regression, or the nearest class mean; none: logistic, in episodes centroid."""
    strengths: tuple[Positive, ...] | None = Field(default=None, min_length=1)
    """Of the regularisation, chosen on the held-out slice; none: 1e-6 to 1e6 in steps of 100. In episodes one, none: 1."""

    @model_validator(mode="after")
    def _one_strength_in_episodes(self) -> Self:
        if self.strengths and not self.use_logistic:
            raise ValueError("strengths belong to classifier: logistic; leave them out")
        if self.strengths and self.ways and len(self.strengths) > 1:
            raise ValueError(
                f"strengths: episodes have no held-out slice to choose among {len(self.strengths)}; give one"
            )
        if len(set(self.shots)) < len(self.shots):
            raise ValueError(f"shots must be different numbers, got {list(self.shots)}")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(f"{shots}_shot" for shots in self.shots)

    @property
    def use_logistic(self) -> bool:
        """Whether the classifier is logistic regression."""
        return (self.classifier or ("centroid" if self.ways else "logistic")) == "logistic"

    @property
    def num_draws(self) -> int:
        """Draws or episodes."""
        return self.draws or (600 if self.ways else 10)

    @property
    def all_strengths(self) -> tuple[float, ...]:
        """The candidates, weakest first unless given."""
        return self.strengths or ((1.0,) if self.ways else (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6))

    @property
    def names_by_train(self) -> bool:
        return self.ways is None

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        if self.ways is not None:
            self._check_episodes(self.ways, counts)
            return
        strengths = len(self.all_strengths) if self.use_logistic else 1
        way_out = "give one strength or take classifier: centroid"
        counts.check_held_out("few_shot", strengths, "strengths", way_out)
        least = counts.fewest(counts.fit)
        if counts.fit[least] < max(self.shots):
            raise InputError(
                f"evaluation.few_shot.shots: {max(self.shots)} images a class asked for, but {counts.named(least)} has "
                f"{counts.fit[least]} in train outside the held-out slice; lower shots, or the data set's holdout"
            )

    def _check_episodes(self, ways: int, counts: Counts) -> None:
        most = max(self.shots) + self.queries
        enough = sum(count >= most for count in counts.test)
        if enough < ways:
            raise InputError(
                f"evaluation.few_shot.ways: {ways} classes asked for, but only {enough} of {len(counts.test)} have the "
                f"{most} test images that shots and queries need; lower ways, shots or queries"
            )
