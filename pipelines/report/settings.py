"""The settings of every method as differences: what all share once, then what each one changes."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.colours import colour
from pipelines.files import canonical
from pipelines.report.behind import of_jobs, of_pretrainings
from pipelines.report.flat_settings import Flat, flat, short, words
from pipelines.report.recipes import options_beside, overruled
from pipelines.report.study import Result, Results
from pipelines.report.tables import Entry, Table
from pipelines.spec.base import Model
from pipelines.spec.jobs import PretrainSpec, TuneSpec
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.tuning import Value
from pipelines.spec.views import Views

SHOWN = ("epochs", "batch_size", "optimizer", "lr_per_256", "weight_decay", "schedule", "warmup_epochs", "precision")
"""Training settings worth naming even where all share them."""


def settings_table(results: Results, tuned: Mapping[str, Mapping[str, Value]], caption: str) -> Table:
    """A row a pretrained label and data set. ``tuned``: key of a tuning job -> the values it chose.

    A row with a recipe lists what it does otherwise than the recipe. Another lists options that differ from the method's
    defaults, and what of training and encoder most rows do not have.
    """
    kinds: dict[tuple[str, str], list[Result[PretrainSpec]]] = {}
    for job in results.of(PretrainSpec):
        kinds.setdefault((job.label, job.dataset), []).append(job)
    first = [seeds[0] for seeds in kinds.values()]
    common = _common([_run(job.spec) for job in first])
    all_changed = _in_all([_options(job.spec) for job in first])
    rows = []
    for seeds in kinds.values():
        job, recipe = seeds[0], results.recipes.get(seeds[0].name.method)
        chosen = tuned.get(job.inputs.get("best", ""), {})
        found = options_beside(job.spec, recipe) if recipe else _options(job.spec)
        options = {path: value for path, value in found.items() if path not in {*chosen, *all_changed}}
        other = {path: value for path, value in _run(job.spec).items() if common.get(path) != value}
        changes = " · ".join(overruled(job.spec, recipe)) if recipe else words(other)
        usual = ("as the recipe", "as the recipe") if recipe else ("defaults", "as shared")
        rows.append(
            (
                Entry(job.label, colour=colour(job.name.method)),
                Entry(job.dataset),
                Entry(recipe.name if recipe else "–", muted=recipe is None),
                Entry(words(options) or usual[0], muted=not options),
                _tuned(results, job, chosen),
                Entry(changes or usual[1], muted=not changes),
                Entry(_rate(job), behind=of_pretrainings(seeds)),
            )
        )
    header = ("method", "data set", "recipe", "options", "tuned", "training and encoder", "lr")
    shown = {path: value for path, value in common.items() if path in SHOWN or path.startswith("encoder")} | all_changed
    unless = "a row or its recipe" if results.recipes else "a row"
    remarks = (f"Shared, unless {unless} says otherwise: {words(shown)}.",) if shown else ()
    return Table("settings", caption, header, tuple(rows), text_columns=6, remarks=remarks)


def _tuned(results: Results, job: Result[PretrainSpec], chosen: Mapping[str, Value]) -> Entry:
    """What the search of a run chose, if it has one."""
    searches = [each for each in results.of(TuneSpec) if each.key == job.inputs.get("best")]
    waiting = "not chosen yet" if "best" in job.inputs else "–"
    behind = of_jobs(f"{job.dataset} · {job.label} · values that were tuned", searches)
    return Entry(words(chosen) or waiting, muted=not chosen, behind=behind)


def _run(spec: PretrainSpec) -> Flat:
    """Training and encoder."""
    return flat(spec.training) | {f"encoder.{path}": value for path, value in flat(spec.encoder).items()}


def _common(each: Sequence[Flat]) -> Flat:
    """The most frequent value of every path that all have; of equally frequent ones the first."""
    paths = [path for path in (each[0] if each else {}) if all(path in one for one in each)]
    counts = {path: Counter(canonical(one[path]) for one in each).most_common(1)[0][0] for path in paths}
    return {path: next(one[path] for one in each if canonical(one[path]) == text) for path, text in counts.items()}


def _in_all(each: Sequence[Flat]) -> Flat:
    """What two or more rows all have with the same value."""
    first = each[0] if len(each) > 1 else {}
    return {path: value for path, value in first.items() if all(path in one and one[path] == value for one in each)}


def _options(spec: PretrainSpec) -> Flat:
    """The method's options, and its views, where they are not its defaults."""
    plain, usual = _plain(spec.method), flat(_plain(spec.method))
    options: Flat = {}
    for name in type(spec.method).model_fields:
        part = getattr(spec.method, name)
        if isinstance(part, Model) and getattr(plain, name) is None:  # a part that is off by default
            options[name] = "on"
            usual |= {f"{name}.{path}": value for path, value in flat(type(part)()).items()}
    options |= {path: value for path, value in flat(spec.method).items() if usual.get(path) != value}
    return options | _views(spec.views, spec.method.default_views(spec.dataset.side))


def _views(views: Views, usual: Views) -> Flat:
    """What is not the method's recipe: once where all augmentations have it, else by their number."""
    was = flat(usual)
    changes = {path: value for path, value in flat(views).items() if was.get(path) != value}
    found: Flat = {}
    for path, value in changes.items():
        name = path.removeprefix("augmentations.").partition(".")[2]
        everywhere = [f"augmentations.{number}.{name}" for number in range(len(views.augmentations))]
        is_common = path in everywhere and all(changes.get(other) == value for other in everywhere)
        found[f"views.{name if is_common else path.removeprefix('augmentations.')}"] = value
    return found


def _plain(method: MethodOptions) -> MethodOptions:
    """The same method, and version of it, with nothing else said."""
    said = {name: getattr(method, name) for name in ("use", "version") if name in type(method).model_fields}
    return type(method)(**said)


def _rate(job: Result[PretrainSpec]) -> str:
    """The rate that was used."""
    rate = job.record.derived.get("lr") if job.record else None
    return "–" if rate is None else short(rate)
