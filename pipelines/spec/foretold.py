"""What ``plan --cost`` would have said of each job when the run that does it began, kept for the report."""

from pathlib import Path

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.spec.base import Model
from pipelines.spec.job import Place
from pipelines.spec.layout import prices_file
from pipelines.spec.parse import parse
from pipelines.spec.plan import Plan
from pipelines.spec.price import Price, Prices, Source


class _Noted(Model):
    """A price as it stands in the file."""

    seconds: float
    source: Source


def note_prices(plan: Plan, results: Path) -> None:
    """Write down the price of every job of a study that is still to be done; those of finished jobs stay as they were noted."""
    left = [job for job in plan.jobs.values() if not job.done(results)]
    if not left:
        return
    prices = Prices.of(plan.jobs.values(), results)
    noted = foretold(results, plan.study.name) | {job.place: prices.price(job.spec) for job in left}
    by_stage: dict[str, dict[str, object]] = {}
    for (stage, key), price in noted.items():
        by_stage.setdefault(stage, {})[key] = {"seconds": float(f"{price.seconds:.6g}"), "source": price.source}
    write_json(prices_file(results, plan.study.name), by_stage)


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
