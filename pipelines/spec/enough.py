"""Whether the data sets of a study hold images enough for its methods and evaluations: asked before anything is trained."""

import contextlib
import sys
from pathlib import Path

from pipelines.advice import plan_again
from pipelines.errors import DamagedFile, InputError
from pipelines.files import read_json, read_sealed
from pipelines.listing.quotas import shares
from pipelines.spec.contents import Contents, packed_contents
from pipelines.spec.counts import Counts
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, JobSpec, PretrainSpec, RunSpec, ShardsSpec, TuneSpec
from pipelines.spec.layout import index_file, record_file, units_file, written_plans
from pipelines.spec.load import load_study
from pipelines.spec.parse import parse
from pipelines.spec.plan import Plan
from pipelines.spec.tuning import Judged


def contents_of(plan: Plan, results: Path, anew: bool = False) -> dict[str, Contents]:
    """Key of the shards -> what they hold, of every data set of which that is known.

    Of packed ones their index tells, of others the files, InputError where these cannot be counted; ``anew``: of all the
    files, where they are here.
    """
    found: dict[str, Contents] = {}
    for job in plan.of("shards"):
        assert isinstance(job.spec, ShardsSpec)
        try:
            contents = _contents(job, job.spec.dataset, results, anew)
        except InputError as error:
            raise InputError(f"study {plan.study.name}, data set {job.spec.dataset.short_name}: {error}") from None
        found |= {job.key: contents} if contents else {}
    return found


def check_enough(plan: Plan, contents: dict[str, Contents], results: Path) -> None:
    """InputError where a training or a protocol that is still to be done, or one that judges trials, needs more images than
    there are."""
    for job in plan.jobs.values():
        if not job.done(results) and job.inputs.get("shards") in contents:
            _check(plan.study.name, job.spec, contents[job.inputs["shards"]])


def check_packed(key: str, contents: Contents, results: Path) -> None:
    """``check_enough`` of shards that were just packed, for the studies of the run, or, without one, for all planned ones.

    Planning does not count what takes long to count; here it is known, and nothing is trained yet. A study whose plan cannot
    be read is left out, with a warning: it may be another one than the shards are packed for.
    """
    names = _running(results)
    for file in written_plans(results):
        if names is not None and file.parent.name not in names:
            continue
        try:
            specs = _to_be_measured(file, key, results)
        except InputError as error:
            print(
                f"warning: study {file.parent.name}: whether {key} holds images enough for it was not asked: {error}",
                file=sys.stderr,
            )
            continue
        for spec in specs:
            _check(file.parent.name, spec, contents)


def _to_be_measured(file: Path, shards: str, results: Path) -> list[JobSpec]:
    """What a written plan has left to do on these shards that asks for a number of images; InputError where it is damaged."""
    kinds = {kind.stage: kind for kind in (EvaluateSpec, TuneSpec, PretrainSpec)}
    plan = read_sealed(file, plan_again(results))
    if not isinstance(plan.get("jobs"), list):
        raise DamagedFile(f"{file}: holds no list of jobs; {plan_again(results)}")
    return [
        parse(kinds[job["stage"]], job["spec"], f"{file}: ")
        for job in plan["jobs"]
        if job["stage"] in kinds
        and job["inputs"].get("shards") == shards
        and not record_file(results, job["stage"], job["key"]).exists()
    ]


def _running(results: Path) -> set[str] | None:
    """The studies of the run that is going on; None where none is."""
    if not units_file(results).exists():
        return None
    names = set()
    for file in read_json(units_file(results))["studies"]:
        with contextlib.suppress(InputError):  # edited since, which is not for this job to tell
            names.add(load_study(Path(file)).name)
    return names


def _check(study: str, spec: JobSpec, contents: Contents) -> None:
    try:
        if isinstance(spec, EvaluateSpec):
            spec.evaluation.check_counts(contents.counts)
        if isinstance(spec, RunSpec):
            share = spec.search.data_share if isinstance(spec, TuneSpec) else 1.0
            _check_training(spec, int((contents.train - contents.held) * share))
        if isinstance(spec, TuneSpec) and isinstance(spec.search.objective, Judged):
            _check_objective(spec.search.objective, contents.counts)
    except InputError as error:
        where = f"study {study}, data set {spec.dataset.short_name}"  # type: ignore[attr-defined]
        raise InputError(f"{where}: {error}") from None


def _check_objective(objective: Judged, counts: Counts) -> None:
    """InputError where too few images are held out for the protocol that judges trials."""
    try:
        objective.by.check_counts(_of_trials(counts))
    except InputError as error:
        raise InputError(f"tuning.objective, judged on the held-out images: {error}") from None


def _check_training(spec: RunSpec, images: int) -> None:
    """InputError where so many images to train on are too few, for the batch or for the method's queue."""
    try:
        spec.training.check(images)
        spec.method.check(spec.training, spec.encoder, images)
    except ValueError as error:
        raise InputError(f"{spec.method.use}: {error}") from None


def _contents(job: Job, dataset: DataSet, results: Path, anew: bool) -> Contents | None:
    if not job.done(results):
        return dataset.contents()
    if anew:
        with contextlib.suppress(InputError):  # the files are here no more, and the shards stay
            return dataset.contents()
    index = index_file(results, job.key)
    return packed_contents(index) if index.exists() else None


def _of_trials(counts: Counts) -> Counts:
    """What an objective has: the held-out slice in the place of test, and a slice as large of the rest to choose on."""
    rest = counts.fit
    share = min(0.5, sum(counts.held) / max(1, sum(rest)))
    return Counts(rest, tuple(shares(rest, share)), counts.held, counts.names)
