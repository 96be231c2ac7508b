"""Whether the data sets of a study hold images enough for its evaluations: asked before anything is trained."""

import contextlib
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.quotas import shares
from pipelines.spec.contents import Contents, packed_contents
from pipelines.spec.counts import Counts
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, ShardsSpec, TuneSpec
from pipelines.spec.layout import index_file
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
    """InputError where a protocol that is still to be measured, or that judges trials, needs more images than there are."""
    for job in plan.jobs.values():
        if job.done(results) or job.inputs.get("shards") not in contents:
            continue
        counts = contents[job.inputs["shards"]].counts
        try:
            if isinstance(job.spec, EvaluateSpec):
                job.spec.evaluation.check_counts(counts)
            elif isinstance(job.spec, TuneSpec) and isinstance(job.spec.search.objective, Judged):
                job.spec.search.objective.by.check_counts(_of_trials(counts))
        except InputError as error:
            what = "tuning.objective, judged on the held-out images: " if isinstance(job.spec, TuneSpec) else ""
            where = f"study {plan.study.name}, data set {job.spec.dataset.short_name}"  # type: ignore[attr-defined]
            raise InputError(f"{where}: {what}{error}") from None


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
