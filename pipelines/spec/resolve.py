"""One run of a study: a method entry at a grid point on one data set, with every default written out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.coloured import check_colours, check_randaugment, check_same_channels
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.checkpoint import Options as Checkpoint
from pipelines.spec.encoders.checkpoint import Start
from pipelines.spec.grid import Point, row_name
from pipelines.spec.jobs import PretrainSpec, RunSpec, TuneSpec
from pipelines.spec.layers import Layer, laid, overruled
from pipelines.spec.methods import options_class
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.overlay import merged, nested
from pipelines.spec.parse import parse
from pipelines.spec.row_name import RowName
from pipelines.spec.study import MethodEntry, Study
from pipelines.spec.training import ONE_OPTIMIZER, Training
from pipelines.spec.tuning import Judged, Objective, Search
from pipelines.spec.view_changes import changed
from pipelines.spec.views import Views
from pipelines.spec.weight_shapes import check_shapes


@dataclass(frozen=True)
class Run:
    """What one pretraining is, but for its seed, with the name tables give it."""

    name: RowName
    """What tables call it."""
    method: MethodOptions
    training: Training
    encoder: EncoderOptions
    views: Views
    dataset: DataSet
    start: Start | None = None
    notes: tuple[str, ...] = ()
    """Whose settings were overruled by whose, for the reader of a plan; no part of what the run is."""

    @property
    def label(self) -> str:
        """The method's label with the grid point, e.g. moco_v2[temperature=0.1]."""
        return self.name.label

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in RunSpec.model_fields}

    def pretraining(self, seed: int, pictures: bool = False) -> PretrainSpec:
        """The job's spec for one seed."""
        return PretrainSpec(**self._fields(), seed=seed, pictures=pictures)

    def search(self, search: Search, epochs: int | None) -> TuneSpec:
        """The spec of a tuning study of this run; epochs: of a trial, none: those of the run. The warm-up shrinks along."""
        training, share = self.training, (epochs or self.training.epochs) / self.training.epochs
        if epochs:
            update = {"epochs": epochs, "warmup_epochs": training.warmup_epochs * min(1.0, share)}
            training = training.model_copy(update=update)
        if not self.dataset.holdout:
            raise InputError(
                f"{self.label}: tuning judges trials on the held-out slice of train, and {self.dataset.short_name} has "
                "holdout: 0; set it above 0, or leave tuning out"
            )
        if search.rungs and not search.rungs.epochs(training.epochs):
            raise InputError(
                f"{self.label}: tuning.rungs.first is {search.rungs.first}, and a trial ends after {training.epochs} epochs; "
                "compare earlier, or leave rungs out"
            )
        self._check_objective(search.objective)
        try:
            _check_transform(self.method, training.epochs)
        except ValueError as error:
            raise InputError(f"{self.label}: tuning.epochs: {error}") from None
        if images := self.dataset.pretraining_images:
            try:
                training.check(int(images * search.data_share))
                self.method.check(training, self.encoder, int(images * search.data_share))
            except ValueError as error:
                raise InputError(f"{self.label}: tuning.data_share {search.data_share:g}: {error}") from None
        return TuneSpec(**{**self._fields(), "training": training}, search=search)

    def _check_objective(self, aim: Objective) -> None:
        if not isinstance(aim, Judged):
            return
        try:
            aim.check_on(self.label, self.method, self.encoder, self.dataset.label_names)
            check_randaugment(f"by.{aim.by.use}", aim.by, self.dataset)
        except ValueError as error:
            raise InputError(f"{self.label}: tuning.objective: {error}") from None


def _check_transform(options: MethodOptions, epochs: int) -> None:
    """ValueError when a method's feature transformation, if it has one, would not begin in so many epochs."""
    if transform := getattr(options, "feature_transform", None):
        transform.check_begins(epochs)


def resolve(study: Study, entry: MethodEntry, point: Point, dataset: DataSet) -> Run:
    """The run at one grid point; InputError names the option, its value and the rule it breaks."""
    name = row_name(entry, point)
    where = f"{name.label}: "
    options = _options(entry, point, where)
    encoders, trainings, changes = _encoders(study, entry, point), _trainings(study, entry, point), _views(study, entry)
    named = study.encoders[point["encoder"]] if "encoder" in point else None
    chosen = named or entry.encoder or study.encoder
    settings = merged(chosen.model_dump(mode="json"), _below("encoder", point))
    given: EncoderOptions = parse(type(chosen), settings, f"{where}encoder")
    given, start = _start(given, entry.start or study.start, dataset, where)
    encoder = given.fitted(dataset.side)
    training = with_defaults(laid(trainings), options, f"{where}training")
    options = shortened(options, training.epochs)
    views = entry.view_recipe or options.default_views(dataset.side)
    if change := laid(changes):
        views = changed(views, change)
    try:
        training.check(dataset.pretraining_images)
        training.check_encoder(encoder)
        options.check(training, encoder, dataset.pretraining_images)
        _check_transform(options, training.epochs)
        options.check_views(views)
        if start and not options.own_encoder(encoder):
            check_shapes(Path(start.path), start.format, encoder)
        options.check_channels(dataset.input_channels)
        check_colours(views, dataset)
    except ValueError as error:
        raise InputError(f"{where}{error}") from None
    fitted = {field: value for field, value in encoder.model_dump().items() if value != getattr(given, field)}
    notes = [*overruled(trainings), *overruled(encoders), *overruled(changes, "views.")]
    notes += [f"encoder.{field} {value} ({_pixels(dataset)})" for field, value in fitted.items()]
    return Run(name, options, training, encoder, views, dataset, start, tuple(notes))


def _start(
    encoder: EncoderOptions, start: Start | None, dataset: DataSet, where: str
) -> tuple[EncoderOptions, Start | None]:
    """The encoder, and the file it begins with: a checkpoint's own, else what ``start`` says. InputError for both."""
    if isinstance(encoder, Checkpoint) and start:
        raise InputError(
            f"{where}start: the encoder is a checkpoint, so training starts from that; leave one of them out"
        )
    try:
        if isinstance(encoder, Checkpoint):
            known = encoder.known()
            found, begins, channels = known.of(), known.start, known.input_channels
        elif start:
            begins = start.known()
            found, channels = encoder, begins.channels
        else:
            return encoder, None
    except InputError as error:
        raise InputError(f"{where}{'start' if start else 'encoder'}.{error}") from None
    check_same_channels(f"{where}the encoder in {begins.path}", channels, dataset)
    return found, begins


def _pixels(dataset: DataSet) -> str:
    return f"images of {dataset.side} pixels a side" if dataset.side else "images of unknown size"


def _below(head: str, point: Point) -> dict[str, Any]:
    """What a grid point says of training or of the encoder."""
    result: dict[str, Any] = {}
    for path, value in point.items():
        if path.startswith(f"{head}."):
            result = merged(result, nested(path.removeprefix(f"{head}."), value))
    return result


def _options(entry: MethodEntry, point: Point, where: str) -> MethodOptions:
    kind, given = options_class(entry.use), entry.given
    plain: MethodOptions = parse(kind, given, where, entry.use)
    for path, value in point.items():
        if path != "encoder" and not path.startswith(("training.", "encoder.")):
            switched_on(plain, path, where)
            given = merged(given, nested(path, value))
    result: MethodOptions = parse(kind, given, where, entry.use)
    try:
        return result.known()
    except InputError as error:
        raise InputError(f"{where}{error}") from None


def _trainings(study: Study, entry: MethodEntry, point: Point) -> list[Layer]:
    recipe = [(f"recipe {entry.recipe.name}", entry.recipe.training)] if entry.recipe else []
    return [*recipe, ("study", study.training), ("method entry", entry.training), ("grid", _below("training", point))]


def _views(study: Study, entry: MethodEntry) -> list[Layer]:
    recipe = [(f"recipe {entry.recipe.name}", entry.recipe.views)] if entry.recipe else []
    layers = [*recipe, ("study", study.views), ("method entry", entry.views)]
    return [(who, change.model_dump(mode="json", exclude_none=True)) for who, change in layers if change]


def _encoders(study: Study, entry: MethodEntry, point: Point) -> list[Layer]:
    """The study's encoder and the entry's, by name where they are of different kinds, else option by option.

    Unlike training, a recipe's encoder lies over the study's: a study has to have one, and some methods need another.
    """
    if entry.encoder is None or "encoder" in point:
        return []
    recipe = entry.recipe if entry.recipe and entry.recipe.encoder == entry.encoder else None
    both = [("study", study.encoder), (f"recipe {recipe.name}" if recipe else "method entry", entry.encoder)]
    if study.encoder.use != entry.encoder.use:
        return [(who, {"encoder": encoder.short_name}) for who, encoder in both]
    return [(who, {f"encoder.{key}": value for key, value in encoder.model_dump().items()}) for who, encoder in both]


def with_defaults(given: dict[str, Any], options: MethodOptions, where: str) -> Training:
    """What is given of training, over the method's defaults; a default never makes an error of what is given.

    The default warm-up takes at most a tenth of the run, and what belongs to the default optimizer goes with it.
    """
    defaults = options.default_training()
    optimizer = given.get("optimizer", defaults.get("optimizer"))
    fitting = {name: value for name, value in defaults.items() if ONE_OPTIMIZER.get(name, optimizer) == optimizer}
    training: Training = parse(Training, {**fitting, **given}, where, "training")
    if "warmup_epochs" in given:
        return training
    return training.model_copy(update={"warmup_epochs": min(training.warmup_epochs, training.epochs / 10)})


def shortened(options: MethodOptions, epochs: int) -> MethodOptions:
    """The options, those measured in epochs that were not given cut down to their share of a short run."""
    update: dict[str, float] = {}
    for name, share in options.epoch_shares.items():
        value, most = getattr(options, name), round(share * epochs, 3)
        if name not in options.model_fields_set:
            update[name] = min(value, max(1, int(most)) if isinstance(value, int) else most)
    return options.model_copy(update=update)


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
