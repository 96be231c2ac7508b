"""One run of a study: a method entry at a grid point on one data set, with every default written out."""

import itertools
from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.jobs import PretrainSpec, RunSpec, TuneSpec
from pipelines.spec.methods import options_class
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.overlay import PARTS, merged, nested
from pipelines.spec.parse import parse
from pipelines.spec.study import Grid, MethodEntry, Study
from pipelines.spec.training import Training
from pipelines.spec.tuning import Search
from pipelines.spec.views import AugmentationChange, Views

Point = dict[str, Any]
"""Option path -> value."""


@dataclass(frozen=True)
class Run:
    """What one pretraining is, but for its seed, with the name tables give it."""

    label: str
    """The method's label with the grid point, e.g. moco_v2[temperature=0.1]."""
    method: MethodOptions
    training: Training
    encoder: EncoderOptions
    views: Views
    dataset: DataSet

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in RunSpec.model_fields}

    def pretraining(self, seed: int) -> PretrainSpec:
        """The job's spec for one seed."""
        return PretrainSpec(**self._fields(), seed=seed)

    def search(self, search: Search, epochs: int | None) -> TuneSpec:
        """The spec of a tuning study of this run; epochs: of a trial, none: those of the run."""
        training = self.training.model_copy(update={"epochs": epochs}) if epochs else self.training
        return TuneSpec(**{**self._fields(), "training": training}, search=search)


def points(study: Study, entry: MethodEntry, dataset: DataSet) -> list[Point]:
    """The grid points of one method on one data set: the product of the study's axes and its own."""
    axes: Grid = {**study.grid, **entry.grid}
    for path, values in axes.items():
        if not values:
            raise InputError(f"grid.{path}: needs at least one value")
    if dataset.short_name not in axes.pop("dataset", [dataset.short_name]):
        return []
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def resolve(study: Study, entry: MethodEntry, point: Point, dataset: DataSet) -> Run:
    """The run at one grid point; InputError names the option, its value and the rule it breaks."""
    where = f"{entry.label}{_suffix(point)}: "
    options: MethodOptions = parse(options_class(entry.use), entry.given, where, entry.use)
    given, changes = _split(options, entry.given, point, where)
    options = parse(options_class(entry.use), given, where, entry.use)
    encoder = _encoder(study, entry, point, changes["encoder"], where)
    settings = {**options.default_training(), **study.training, **entry.training, **changes["training"]}
    training: Training = parse(Training, settings, f"{where}training", "training")
    views = entry.view_recipe or options.default_views(dataset.image_size)
    for change in (study.views, entry.views):
        views = changed(views, change) if change else views
    try:
        training.check()
        options.check(training, encoder, dataset.pretraining_images)
    except ValueError as error:
        raise InputError(f"{where}{error}") from None
    return Run(entry.label + _suffix(point), options, training, encoder, views, dataset)


def _split(
    options: MethodOptions, given: dict[str, Any], point: Point, where: str
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(the method's options with the point's laid over them, the point's changes to training and encoder)."""
    changes: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for path, value in point.items():
        head, _, rest = path.partition(".")
        if head in changes and rest:
            changes[head] = merged(changes[head], nested(rest, value))
        elif path != "encoder":
            switched_on(options, path, where)
            given = merged(given, nested(path, value))
    return given, changes


def _encoder(study: Study, entry: MethodEntry, point: Point, changes: dict[str, Any], where: str) -> EncoderOptions:
    """The encoder that the grid names, else the entry's own, else the study's, with the point's changes."""
    named = study.encoders[point["encoder"]] if "encoder" in point else None
    chosen = named or entry.encoder or study.encoder
    found: EncoderOptions = parse(type(chosen), merged(chosen.model_dump(mode="json"), changes), f"{where}encoder")
    return found


def changed(views: Views, change: AugmentationChange) -> Views:
    """The recipe with ``change`` laid over each of its augmentations."""
    update = change.model_dump(mode="json", exclude_none=True)
    data = views.model_dump(mode="json")
    data["augmentations"] = [{**kind, **update} for kind in data["augmentations"]]
    result: Views = parse(Views, data, "views", "views")
    return result


def switched_on(options: Model, path: str, where: str) -> None:
    """InputError when a path leads through an option that is off: setting a part of it must not switch it on."""
    node: Any = options
    *parents, _ = path.split(".")
    for i, part in enumerate(parents):
        node = getattr(node, part, None)
        if node is None:
            raise InputError(
                f"{where}{path}: {'.'.join(parents[: i + 1])} is off for this method; switch it on or leave the path out"
            )


def _suffix(point: Point) -> str:
    return (
        "[" + ",".join(f"{path.removeprefix('training.')}={value}" for path, value in point.items()) + "]"
        if point
        else ""
    )
