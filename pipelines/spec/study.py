"""A study: one YAML file with a question, data, methods, a grid, seeds, training, tuning and evaluations."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from pipelines.spec.base import Model, Name
from pipelines.spec.claims import Claim
from pipelines.spec.datasets import AnyDataSet
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.checkpoint import Options as Checkpoint
from pipelines.spec.encoders.checkpoint import Start
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.main_protocol import main_of
from pipelines.spec.recipes import FromRecipe
from pipelines.spec.reproductions import Reproduction
from pipelines.spec.tables import PaperTable
from pipelines.spec.tuning import Tuning
from pipelines.spec.views import AugmentationChange, Views

Grid = dict[str, list[Any]]
"""Option path -> values: a method's option (temperature, feature_transform.positive.alpha), training.X, encoder.X, or
``dataset`` and ``encoder`` with names of the study's."""


class MethodEntry(Model):
    """One method of a study: its options, and what it changes of the study's common settings."""

    label: Name
    """What tables and figures call it."""
    use: str
    """The method's name, a file in spec/methods."""
    given: dict[str, Any] = {}
    """The method's options as written, recipe included; what is not given takes its default."""
    recipe: FromRecipe | None = None
    """What came from a recipe: its training and views lie under the study's own."""
    training: dict[str, Any] = {}
    """Changes to the study's training, for this method only."""
    encoder: AnyEncoder | None = None
    """In place of the study's encoder (MAE needs a ViT)."""
    views: AugmentationChange | None = None
    """Changes to the augmentations of this method's recipe, over the study's."""
    view_recipe: Views | None = None
    """A whole view recipe in place of the method's own."""
    start: Start | None = None
    """A file of weights that this method's encoder begins with."""
    grid: Grid = {}
    """Option path -> values, for this method only."""


class Study(Model):
    """What to find out, on which images, with which methods."""

    name: Name
    """The study file's name without its ending; the results folder."""
    question: str
    scale: Name | None = None
    """Where keys that are not given here come from: experiments/scales/NAME.yaml."""
    by_scale: dict[str, dict[str, Any]] = {}
    """Name -> scale -> value: ``$NAME`` anywhere in the file stands for the value at its scale. Empty once it is read."""
    dataset: AnyDataSet | None = None
    """The one data set; or give ``datasets``."""
    datasets: tuple[AnyDataSet, ...] = ()
    """Several: every method is pretrained on each, but for those with ``role: target``, which are evaluated on only."""
    encoder: AnyEncoder
    encoders: dict[Name, AnyEncoder] = {}
    """Further encoders by name, for a grid that ranges over ``encoder``; each checkpoint is a row of the tables."""
    methods: tuple[MethodEntry, ...] = ()
    """What is pretrained; may be left out where there are checkpoints to evaluate."""
    grid: Grid = {}
    """Option path -> values, applied to every method."""
    seeds: tuple[int, ...] = Field(min_length=1)
    training: dict[str, Any] = {}
    """Settings of training, over each method's defaults and over recipes; a method entry's own lie over these."""
    views: AugmentationChange | None = None
    """Changes to every augmentation of every view recipe (a data set without left-right symmetry: flip 0)."""
    tuning: Tuning | None = None
    start: Start | None = None
    """A file of weights that every method's encoder begins with, but for those with a start of their own."""
    evaluation: tuple[AnyEvaluation, ...] = Field(min_length=1)
    main: str | None = None
    """The main protocol: one of ``evaluation``, by its ``use`` (``knn``). It answers the question, sorts the methods and judges
    claims that name no other; none: the first linear probe that ``evaluation`` lists, else the first of all."""
    claims: tuple[Claim, ...] = ()
    """Statements that the report gives a verdict on."""
    reproduces: tuple[Reproduction, ...] = ()
    """Published figures that rows of this study should reach: ``python -m pipelines check-reproduction`` answers."""
    tables: tuple[PaperTable, ...] = ()
    """Tables for a paper: ``python -m pipelines tables`` writes them."""
    ceiling: MethodEntry | None = None
    """The network of the first method trained with the labels, in tables beside the floors: an entry of ``supervised``
    as under ``methods``, ``{recipe: supervised/small}``; every scale gives one. One run a seed, which no grid changes
    and which competes for nothing; null or false: none. None where ``methods`` has a supervised one or images no label, and
    where the network is of another kind than the recipe's, unless the entry says how that is trained."""
    floors: bool = True
    """Evaluate raw pixels and the untrained encoder beside the methods."""
    keep_features: bool = False
    """Leave every encoder's features on disk beside its records, for reading elsewhere."""

    @property
    def main_protocol(self) -> Protocol:
        """The entry of ``evaluation`` that leads."""
        return main_of(self.evaluation, self.main)

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """Weights from files, to be evaluated as they are, by the name that tables give them."""
        named: dict[str, EncoderOptions] = {self.encoder.short_name: self.encoder, **self.encoders}
        return {name: encoder for name, encoder in named.items() if isinstance(encoder, Checkpoint)}

    @property
    def all_datasets(self) -> tuple[AnyDataSet, ...]:
        """Every data set, in the order of the file."""
        return (self.dataset,) if self.dataset else self.datasets

    @property
    def pretraining_sets(self) -> tuple[AnyDataSet, ...]:
        """Those that methods are pretrained on."""
        return tuple(data for data in self.all_datasets if data.role == "pretrain")

    @property
    def targets(self) -> tuple[AnyDataSet, ...]:
        """Those that encoders are evaluated on only."""
        return tuple(data for data in self.all_datasets if data.role == "target")

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError(f"must be different whole numbers from 0 on, got {list(seeds)}")
        return seeds

    @model_validator(mode="after")
    def _main(self) -> Self:
        main_of(self.evaluation, self.main)
        return self

    @model_validator(mode="after")
    def _data(self) -> Self:
        if bool(self.dataset) == bool(self.datasets):
            raise ValueError("dataset: give one under dataset, or a list under datasets")
        names = [data.short_name for data in self.all_datasets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"datasets: two are called {name}; leave one of them out")
        if not self.pretraining_sets:
            raise ValueError("datasets: all have role target; one at least has to be pretrained on")
        return self

    @model_validator(mode="after")
    def _labels(self) -> Self:
        if not self.methods and not self.checkpoints:
            raise ValueError("methods: must have at least 1 value, or a checkpoint under encoders to evaluate")
        ceiling = (self.ceiling.label,) if self.ceiling else ()
        labels = [*(entry.label for entry in self.methods), *self.checkpoints, *ceiling]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"methods: two are called {label}; give one of them another label")
        labels = [entry.label for entry in self.methods]
        for label in self.tuning.methods if self.tuning else ():
            if label not in labels:
                raise ValueError(f"tuning.methods: no method is called {label}; there are {', '.join(labels)}")
        return self

    @model_validator(mode="after")
    def _ceiling(self) -> Self:
        if self.ceiling and self.ceiling.use != "supervised":
            raise ValueError(
                f"ceiling.use: must be supervised, which trains on the labels, got {self.ceiling.use}; others go under methods"
            )
        if self.ceiling and self.ceiling.grid:
            raise ValueError(
                "ceiling.grid: the ceiling is one run a seed; leave the grid out, or move the entry to methods"
            )
        return self

    @model_validator(mode="after")
    def _named_axes(self) -> Self:
        known = {"dataset": [data.short_name for data in self.pretraining_sets], "encoder": list(self.encoders)}
        for grid in (self.grid, *(entry.grid for entry in self.methods)):
            for axis, names in known.items():
                for name in grid.get(axis, ()):
                    if name not in names:
                        raise ValueError(
                            f"grid.{axis}: the study has no {name!r}; there are: {', '.join(names) or 'none'}"
                        )
        return self
