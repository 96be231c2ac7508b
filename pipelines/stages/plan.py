"""Stage plan: print the jobs of studies in an order in which they run, each with its command and whether it is done."""

import contextlib
import importlib
from collections.abc import Mapping
from pathlib import Path

from pipelines.code import changed
from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.records import read_record
from pipelines.sources.base import open_source
from pipelines.sources.looking import pixels_told
from pipelines.spec.contents import Contents
from pipelines.spec.cost import cost_lines
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.enough import check_enough, contents_of
from pipelines.spec.foretold import note_prices
from pipelines.spec.images_told import images_told
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.kept import LABEL, NUMBER, kept_features
from pipelines.spec.layout import index_file
from pipelines.spec.longest import longest
from pipelines.spec.made_by import code_of
from pipelines.spec.own_images import OwnImages
from pipelines.spec.pending import check_files, is_changed
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.restocked import restocked
from pipelines.spec.seen_before import seen_before
from pipelines.spec.units import Unit, units
from pipelines.spec.writing import write_specs

OTHER = "[other code]"
"""Marks a result that other code made than is here."""


def run(
    studies: list[Path],
    results: Path,
    write: bool = False,
    counts: bool = False,
    cost: bool = False,
    power: bool = False,
    difference: float | None = None,
) -> None:
    """Print the plan of one or more studies; ``write``: also the jobs' spec.json, after which every line can be run.

    InputError for a ``difference`` that is not above 0, or is given where ``power`` is not asked for.
    """
    shown = _difference(power, difference)
    for path in studies:
        made = plan_file(path)
        found = _contents(made, results, needed=write or not (counts or cost or power))
        contents = found or {}
        if write:
            write_specs(made, results)
            note_prices(made, results, contents)
        print(f"# {path}: {made.study.question}")
        if power:
            # the statistics take half a second to load, which other plans should not pay
            print("\n".join(importlib.import_module("pipelines.report.power").planned_power(made, results, shown)))
            continue
        _print_counts(made, results)
        if cost:
            print("\n".join(cost_lines(made, results, contents)))
            _print_kept(made, contents, results)
        if not counts:
            _print_longest(made, results, contents)
        if cost:
            continue
        _print_data(made, found, results)
        _print_notes(made)
        if not counts:
            for unit in units(made.jobs.values()):
                _print_unit(unit, made, results)
            _print_changed(made, results)


def _difference(power: bool, given: float | None) -> float:
    if given is not None and not power:
        raise InputError(f"--difference {given:g}: is what --power is asked for; add --power, or leave it out")
    found = 1.0 if given is None else given
    if not found > 0:
        raise InputError(f"--difference {found:g}: must be above 0, in points of accuracy, such as 1.0")
    return found


def _contents(made: Plan, results: Path, needed: bool) -> Mapping[str, Contents] | None:
    """What the files of the data sets hold; None where they are not here and not ``needed``, which is told."""
    try:
        check_files(made, results)
    except InputError as error:
        if needed:
            raise
        print(f"# counted without files: {error}")
        return None
    contents = contents_of(made, results)
    check_enough(made, contents, results)
    return contents


def _print_data(made: Plan, contents: Mapping[str, Contents] | None, results: Path) -> None:
    """How the files of each data set were understood, and what they hold as far as that is known.

    ``contents`` None: the files of some are not here, and those that are not packed are not opened.
    """
    for job in made.of("shards"):
        assert isinstance(job.spec, ShardsSpec)
        dataset = job.spec.dataset
        lines = list(contents[job.key].lines) if contents and job.key in contents else []
        if contents is not None or job.done(results):
            lines += _images(job, dataset, results)
        told = ""
        with contextlib.suppress(InputError):  # its files are gone, but it is packed: else check_files has told
            told = dataset.told()
        role = "target: measured on" if dataset.role == "target" else "pretrained on and measured on"
        print(f"# data set {dataset.short_name} ({role}): {told or dataset.use}")
        for line in [*lines, *_seen_before(made, job, results)]:
            print(f"#   {line}")


def _seen_before(made: Plan, job: Job, results: Path) -> list[str]:
    """Test images that are among those of another data set that is pretrained on, where both are packed."""
    assert isinstance(job.spec, ShardsSpec)
    if job.spec.dataset.role != "target" or not job.done(results):
        return []
    trained_on = {each.inputs["shards"] for each in made.of("pretrain")} - {job.key}
    others = [each for each in made.of("shards") if each.key in trained_on and each.done(results)]
    found = {each: seen_before(each.folder(results), job.folder(results)) for each in others}
    return [
        f"test images that pretraining on {made.names[each.place].label} sees: {leak.words}"
        for each, leak in found.items()
        if leak and leak.count
    ]


def _images(job: Job, dataset: DataSet, results: Path) -> list[str]:
    """Sizes and channels: of all images where they are packed, else of some of one's own; or why nothing is counted."""
    index = index_file(results, job.key)
    if job.done(results):
        told = images_told(read_json(index)) if index.exists() else {}
        return [f"{what}: {words}" for what, words in told.items() if words]
    if not isinstance(dataset, OwnImages) or (why := dataset.uncounted()):
        return why if isinstance(dataset, OwnImages) else []
    split = open_source(dataset).train
    return [f"{what} of train: {words}" for what, words in pixels_told(split, dataset).items()]


def _print_notes(made: Plan) -> None:
    """Each note once, with the methods it is about."""
    about: dict[str, list[str]] = {}
    for label, notes in made.notes.items():
        for note in notes:
            about.setdefault(note, []).append(label)
    for note, labels in about.items():
        print(f"# {note}: {', '.join(labels)}")


def _counted(number: int) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{number} job{'' if number == 1 else 's'}"


def _print_counts(made: Plan, results: Path) -> None:
    for stage in dict.fromkeys(job.stage for job in made.jobs.values()):
        jobs = made.of(stage)
        done = sum(job.done(results) for job in jobs)
        print(f"# {stage}: {_counted(len(jobs))}, {done} done")


def _print_longest(made: Plan, results: Path, contents: Mapping[str, Contents]) -> None:
    if told := longest(made, results, {key: each.train for key, each in contents.items()}):
        print(f"# {told}")


def _print_kept(made: Plan, contents: Mapping[str, Contents], results: Path) -> None:
    """The disk that the features take which are not there yet, if they are kept."""
    found = kept_features(made, contents, results)
    if not found:
        return
    known = sum(each.bytes or 0 for each in found) / 1e6
    least = "" if all(each.bytes is not None and each.whole for each in found) else "at least "
    if not made.study.keep_features:
        print(f"# features: none are kept; keep_features: true would take {least}{known:,.1f} MB on disk")
        return
    print(f"# features that are kept: {least}{known:,.1f} MB on disk, {NUMBER} bytes a number and {LABEL} an image")
    for each in found:
        print(f"#   {each.told}")


def _state(job: Job, results: Path) -> str:
    if not job.done(results):
        return "to do"
    if found := restocked(job, results):
        return f"done of other files ({found.told}): "
    return f"done {OTHER}" if is_changed(job, results) else "done"


def _print_changed(made: Plan, results: Path) -> None:
    """What the mark of other code means, with the files that changed, each once for all jobs."""
    found = [job for job in made.jobs.values() if job.done(results) and is_changed(job, results)]
    files = {file for job in found for file in changed(read_record(job.folder(results)).code, code_of(job.spec).files)}
    if found:
        print(f"# {OTHER}: {_counted(len(found))} done by other code; changed since: {', '.join(sorted(files))}")
        print("# accept says that the change alters nothing; --config rerun_changed=true makes these results anew")


def _print_unit(unit: Unit, made: Plan, results: Path) -> None:
    for job in unit.jobs:
        print(f"{_state(job, results):5}  {made.names[job.place].told}: {job.key}")
    print(f"       {unit.command(results)}")
