"""What ``plan --cost`` would have said of each job when the run that does it began, kept for the report."""

from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.spec.base import Model
from pipelines.spec.contents import Contents
from pipelines.spec.earlier import earlier
from pipelines.spec.job import Place
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import prices_file
from pipelines.spec.parse import parse
from pipelines.spec.plan import Plan
from pipelines.spec.price import Price, Prices, Source


class _Noted(Model):
    """A price as it stands in the file."""

    seconds: float
    source: Source


def note_prices(plan: Plan, results: Path, contents: Mapping[str, Contents]) -> None:
    """Write down the price of every job of a study that is still to be done; those of finished jobs stay as they were noted.

    ``contents``: key of shards -> what the files of its data set hold, as far as that is known.
    """
    left = [job for job in plan.jobs.values() if not job.done(results)]
    if not left:
        return
    prices = Prices.of(plan.jobs.values(), results, counted(plan, contents), earlier(results, plan.jobs))
    noted = foretold(results, plan.study.name) | {job.place: prices.price(job.spec) for job in left}
    by_stage: dict[str, dict[str, object]] = {}
    for (stage, key), price in noted.items():
        by_stage.setdefault(stage, {})[key] = {"seconds": float(f"{price.seconds:.6g}"), "source": price.source}
    write_json(prices_file(results, plan.study.name), by_stage)


def counted(plan: Plan, contents: Mapping[str, Contents]) -> dict[str, int]:
    """Name of a data set -> its images of train, by what its files hold."""
    known = {job.key: job.spec for job in plan.of("shards") if job.key in contents}
    return {spec.dataset.short_name: contents[key].train for key, spec in known.items() if isinstance(spec, ShardsSpec)}


def foretold(results: Path, study: str) -> dict[Place, Price]:
    """What was noted; empty where nothing was, or where the file is damaged: no result depends on it."""
    path = prices_file(results, study)
    try:
        found = parse(dict[str, dict[str, _Noted]], read_json(path), f"{path}: ") if path.exists() else {}
    except InputError:
        return {}
    return {
        (stage, key): Price(each.seconds, each.source) for stage, keys in found.items() for key, each in keys.items()
    }
