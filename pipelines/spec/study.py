"""A study: one YAML file with a question, data, methods, a grid, seeds, training, tuning and evaluations."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from pipelines.spec.base import Model, Name
from pipelines.spec.datasets import AnyDataSet
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.recipes import FromRecipe
from pipelines.spec.tuning import Tuning
from pipelines.spec.views import AugmentationChange, Views

Grid = dict[str, list[Any]]
"""Option path -> values: a method's option (temperature, feature_transform.positive.alpha) or training.X, encoder.X."""


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
    grid: Grid = {}
    """Option path -> values, for this method only."""


class Study(Model):
    """What to find out, on which images, with which methods."""

    name: Name
    """The study file's name without its ending; the results folder."""
    question: str
    dataset: AnyDataSet
    encoder: AnyEncoder
    methods: tuple[MethodEntry, ...] = Field(min_length=1)
    grid: Grid = {}
    """Option path -> values, applied to every method."""
    seeds: tuple[int, ...] = Field(min_length=1)
    training: dict[str, Any] = {}
    """Settings of training, over each method's defaults and over recipes; a method entry's own lie over these."""
    views: AugmentationChange | None = None
    """Changes to every augmentation of every view recipe (a data set without left-right symmetry: flip 0)."""
    tuning: Tuning | None = None
    evaluation: tuple[AnyEvaluation, ...] = Field(min_length=1)
    floors: bool = True
    """Evaluate raw pixels and the untrained encoder beside the methods."""

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError(f"must be different whole numbers from 0 on, got {list(seeds)}")
        return seeds

    @model_validator(mode="after")
    def _labels(self) -> Self:
        labels = [entry.label for entry in self.methods]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"methods: two are called {label}; give one of them another label")
        for label in self.tuning.methods if self.tuning else ():
            if label not in labels:
                raise ValueError(f"tuning.methods: no method is called {label}; there are {', '.join(labels)}")
        return self
