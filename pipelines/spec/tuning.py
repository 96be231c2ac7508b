"""Tuning: which options Optuna searches, with how many trials, and what it maximises."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pipelines.spec.base import Count, Model, Name, Share
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.mistakes import suggestion
from pipelines.spec.training import LEAST_SPREAD, CollapseStop

Value = float | int | bool | str


class Range(Model):
    """An interval of numbers, searched uniformly or in the logarithm."""

    low: float
    high: float
    log: bool = False
    complement: bool = False
    """Search 1 - value in the logarithm (momentum: 0.9, 0.99 and 0.999 are equal steps)."""
    whole: bool = False
    """Whole numbers only, both ends included."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low {self.low}, high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must be above 0, got low {self.low}")
        if self.complement and (self.log or not 0 <= self.low < self.high < 1):
            raise ValueError(f"complement needs 0 <= low < high < 1 and no log, got low {self.low}, high {self.high}")
        if self.whole and (self.complement or self.low % 1 or self.high % 1):
            raise ValueError(f"whole needs whole ends and no complement, got low {self.low}, high {self.high}")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that have to be allowed before anything is searched."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether the value could be proposed."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        slack = 1e-12 * max(1.0, abs(self.high))  # 1 - (1 - value) may be off by a rounding
        return number and self.low - slack <= value <= self.high + slack and not (self.whole and value % 1)


class Choice(Model):
    """A few values, none nearer to another: numbers, words, yes and no."""

    choices: tuple[Value, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len({(type(value), value) for value in self.choices}) < len(self.choices):
            raise ValueError(f"choices must differ, got {list(self.choices)}")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that have to be allowed before anything is searched: all of them."""
        return self.choices

    def holds(self, value: Any) -> bool:
        """Whether the value could be proposed."""
        return any(type(value) is type(each) and value == each for each in self.choices)


def _kind(given: Any) -> str:
    choices = "choices" in given if isinstance(given, dict) else isinstance(given, Choice)
    return "choice" if choices else "range"


Limits = Annotated[Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)]
Space = dict[str, Limits]
"""Option path (temperature, feature_transform.positive.alpha) -> range or choices."""


class Judged(Model):
    """What a protocol says of the held-out slice, having learnt from the rest of train; test is never read."""

    by: AnyEvaluation
    """Any protocol that the method and its data set have what it needs for."""
    number: str | None = None
    """Which of its numbers (top1, mean_per_class, ap50, iou/cat); none: its headline."""

    @model_validator(mode="after")
    def _measured(self) -> Self:
        if why := self.by.no_objective():
            raise ValueError(f"{self.by.use} {why}")
        start, _, of_class = self.name.partition("/")
        if not (of_class and start == self.by.class_number) and self.name not in self.by.accuracies:
            known = list(self.by.accuracies)
            raise ValueError(f"{self.by.use} has no number called {self.name}; {suggestion(self.name, known)}")
        return self

    @property
    def name(self) -> str:
        """The number that is maximised."""
        return self.number or self.by.numbers[0]

    def check_on(self, label: str, method: MethodOptions, encoder: EncoderOptions, classes: Sequence[str]) -> None:
        """ValueError where the method, its encoder or the data set with these classes lacks what the number needs."""
        if not self.by.suits(method):
            raise ValueError(
                f"{self.by.use} does not suit {label}: zero_shot and retrieval need a text tower (clip), head_layers that many "
                "layers in the method's head; take another protocol"
            )
        self.by.check_encoder(encoder, method.own_encoder(encoder))
        of_class = self.name.partition("/")[2]
        if of_class and classes and of_class not in classes:
            raise ValueError(f"number: {self.name}: no class is called that; {suggestion(of_class, list(classes))}")


def _objective(given: Any) -> str:
    return "knn" if isinstance(given, str) else "judged"


Objective = Annotated[
    Annotated[Literal["knn"], Tag("knn")] | Annotated[Judged, Tag("judged")], Discriminator(_objective)
]


class Rungs(Model):
    """Successive halving (Li et al. 2020, arXiv:1810.05934): at each rung only the best go on to the next."""

    first: Count
    """Epoch after which trials are compared for the first time; then after factor times as many, and so on."""
    factor: int = Field(default=3, ge=2)
    """One in so many goes on, of the trials that have reached the rung."""

    def epochs(self, total: int) -> tuple[int, ...]:
        """Those at which trials of ``total`` epochs are compared: before the last, which is every trial's own end."""
        found, epoch = [], self.first
        while epoch < total:
            found.append(epoch)
            epoch *= self.factor
        return tuple(found)


class Search(Model):
    """One Optuna study: how many trials of what, and what they maximise."""

    trials: Count
    objective: Objective = "knn"
    """What is maximised. knn: top-1 of weighted kNN, queries from the held-out slice, bank from the rest of train. Else any
    number of any protocol, for which the held-out slice stands in the place of test."""
    data_share: float = Field(default=1.0, gt=0, le=1)
    """Share of every class of the pretraining images that trials learn from, the same images for all."""
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    prune_below: Share = 0.0
    """Stop a trial that ranks in this lowest share at an equal epoch; 0: no pruning (curves cross)."""
    rungs: Rungs | None = None
    """Stop trials at fixed epochs by successive halving; none: no rungs (curves cross)."""
    give_up_collapsed: Share | None = 0.5
    """Share of its epochs after which a trial is given up whose features' spread is that of a collapsed run; none: it is
    trained to its end. A study's own ``training.collapse_stop`` takes its place."""
    batch: Count = 4
    """Trials that are proposed together, from the results of all before them: as many workers find work at once. It does not
    depend on how many there are."""
    finalists: Count = 3
    """Trials of the highest values that are repeated, and the default, before one is chosen by the mean of the repeats."""
    repeats: int = Field(default=2, ge=0)
    """Fresh seeds for each finalist; 0: the highest value is chosen."""
    seed: int = Field(default=0, ge=0)
    space: Space = {}
    """Searched for every method named."""

    @model_validator(mode="after")
    def _one_way_to_stop(self) -> Self:
        if self.rungs and self.prune_below:
            raise ValueError("rungs and prune_below are two ways to stop a trial early; leave one out")
        return self

    @property
    def trainings(self) -> int:
        """How many there are, at most: trials, and the repeats of finalists. Each is judged once."""
        return self.trials + self.repeats * min(self.trials, self.finalists + 1)

    def rounds(self, workers: int) -> int:
        """How many of them are one after the other in each of so many workers, who wait for the end of every batch."""
        sizes = [min(self.batch, self.trials - first) for first in range(0, self.trials, self.batch)]
        return sum(math.ceil(size / workers) for size in [*sizes, self.trainings - self.trials])

    def collapse_stop(self, epochs: int) -> CollapseStop | None:
        """When a trial of so many epochs is given up."""
        if self.give_up_collapsed is None:
            return None
        return CollapseStop(epoch=max(1, math.ceil(self.give_up_collapsed * epochs)), spread=LEAST_SPREAD)

    @property
    def reads_every(self) -> int | None:
        """Epochs between the readings by which trials are stopped; none: none are stopped. Every rung is a multiple."""
        return self.rungs.first if self.rungs else 1 if self.prune_below else None


class Tuning(Search):
    """An Optuna study for each method named; all get the same number of trials."""

    workers: Count = 1
    """Jobs that share the trials; their number changes no result."""
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
