"""Tuning studies: the trials, which values won, and how much each parameter mattered."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.report.study import Results
from pipelines.report.tables import Entry, Table
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.tuning import Space

LEAST_TRIALS = 8
"""Below this many complete trials an importance says nothing and is not computed."""


@dataclass(frozen=True)
class Trial:
    """One trial. ``value``: the objective as a fraction, None when it did not complete."""

    number: int
    params: dict[str, float]
    value: float | None


@dataclass(frozen=True)
class Search:
    """One method's tuning study, trials in the order of trials.json.

    ``space``: parameter -> its range, as in the study file.
    """

    key: str
    label: str
    dataset: str
    trials: tuple[Trial, ...]
    space: Space

    @property
    def complete(self) -> list[Trial]:
        """The trials that have a value, by number."""
        return sorted((trial for trial in self.trials if trial.value is not None), key=lambda trial: trial.number)

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest value; of equals the first in trials.json, as the stage chooses."""
        complete = [trial for trial in self.trials if trial.value is not None]
        return max(complete, key=lambda trial: trial.value or 0.0, default=None)

    def so_far(self) -> list[tuple[int, float]]:
        """(trial number, best value up to it)."""
        found: list[tuple[int, float]] = []
        for trial in self.complete:
            assert trial.value is not None
            found.append((trial.number, max(trial.value, found[-1][1]) if found else trial.value))
        return found

    def scale(self, name: str) -> str:
        """How a parameter was searched: linear, log, or complement (1 - value in the logarithm)."""
        limits = self.space.get(name)
        return "complement" if limits and limits.complement else "log" if limits and limits.log else "linear"


def searches(results: Results) -> list[Search]:
    """The finished tuning studies, in the plan's order."""
    found = []
    for job in results.of(TuneSpec):
        path = job.folder / "trials.json"
        if job.record is None or not path.exists():
            continue
        trials = tuple(_trial(path, entry) for entry in read_json(path))
        found.append(Search(job.key, job.label, job.dataset, trials, job.spec.search.space))
    return found


def importance(search: Search) -> dict[str, float]:
    """Share of each parameter in reaching the best trials (PED-ANOVA, Watanabe et al. 2023, arXiv:2304.10255).

    Shares add up to 1. Empty when fewer than ``LEAST_TRIALS`` trials are complete or there is one parameter only.
    """
    names = sorted(search.space)
    trials = [trial for trial in search.complete if all(name in trial.params for name in names)]
    if len(names) < 2 or len(trials) < LEAST_TRIALS:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = {name: _distribution(search, name) for name in names}
    inner = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
    for trial in trials:
        params = {name: _inside(ranges[name], _searched(search, name, trial.params[name])) for name in names}
        inner.add_trial(optuna.trial.create_trial(params=params, distributions={**ranges}, value=trial.value))
    found = optuna.importance.get_param_importances(inner, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    return {name: float(found[name]) for name in names}


def tuning_table(all_searches: list[Search], caption: str) -> Table:
    """A row a study: trials, the best value and where it was found, importances."""
    rows = []
    for search in all_searches:
        best = search.best
        shares = importance(search)
        chosen = " · ".join(f"{name} {value:.4g}" for name, value in best.params.items()) if best else "–"
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        rows.append(
            (
                Entry(search.label),
                Entry(search.dataset),
                Entry(chosen),
                Entry(
                    " · ".join(f"{name} {share:.2f}" for name, share in ranked) or "too few trials", muted=not shares
                ),
                Entry(f"{len(search.complete)} of {len(search.trials)}"),
                Entry(f"{100 * best.value:.2f}" if best and best.value is not None else "–"),
            )
        )
    header = ("method", "data set", "best values", "importance", "complete trials", "best objective (%)")
    return Table("tuning", caption, header, tuple(rows), text_columns=4)


def _trial(path: Path, entry: dict[str, Any]) -> Trial:
    for name in ("number", "params", "value", "state"):
        if name not in entry:
            raise InputError(f"{path}: a trial lacks {name}; delete the folder and run its job again")
    complete = str(entry["state"]).upper() == "COMPLETE" and entry["value"] is not None
    return Trial(int(entry["number"]), dict(entry["params"]), float(entry["value"]) if complete else None)


def _searched(search: Search, name: str, value: float) -> float:
    """A value in the coordinate it was searched in, except for the plain logarithm, which Optuna's range takes."""
    return -math.log(1 - value) if search.scale(name) == "complement" else value


def _distribution(search: Search, name: str) -> optuna.distributions.FloatDistribution:
    limits = search.space[name]
    low, high = (_searched(search, name, end) for end in (limits.low, limits.high))
    return optuna.distributions.FloatDistribution(low, high, log=search.scale(name) == "log")


def _inside(distribution: Any, value: float) -> float:
    """Rounding may put an end point outside by one unit in the last place."""
    return float(min(max(value, distribution.low), distribution.high))
