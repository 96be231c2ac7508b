"""Tuning studies: the trials, which values won, and how much each parameter mattered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.records import vouched_file
from pipelines.report.behind import Behind, of_jobs
from pipelines.report.study import Results
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.row_name import RowName
from pipelines.spec.tuning import Choice, Space, Value
from pipelines.tuning.choice import DEFAULT, Finalist, chosen, noise
from pipelines.tuning.space import distributions, params_of

LEAST_TRIALS = 8
"""Below this many complete trials an importance says nothing and is not computed."""


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    number  its slot
    value   the objective as a fraction, None when it did not complete
    floor   what it counts for where it collapsed or diverged
    """

    number: int
    params: dict[str, Value]
    value: float | None
    floor: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """One method's tuning study, trials in the order of trials.json.

    space    parameter -> its range or choices, as in the study file
    repeats  number of a trial -> the values that its repeats with fresh seeds reached
    """

    key: str
    name: RowName
    dataset: str
    trials: tuple[Trial, ...]
    space: Space
    repeats: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    behind: Behind | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """The line of the tables whose values it chooses."""
        return self.name.label

    @property
    def complete(self) -> list[Trial]:
        """The trials that have a value, by number."""
        return sorted((trial for trial in self.trials if trial.value is not None), key=lambda trial: trial.number)

    @property
    def worth(self) -> list[float]:
        """What every trial of the budget adds to a search, by number; empty where none is complete.

        One that collapsed counts its floor; one that was stopped early, which cannot be chosen, the lowest complete value.
        Leaving them out would make a method look better the more of its trials fail.
        """
        values = [trial.value for trial in self.trials if trial.value is not None]
        if not values:
            return []
        spent = sorted(self.trials, key=lambda trial: trial.number)
        return [next(each for each in (trial.value, trial.floor, min(values)) if each is not None) for trial in spent]

    @property
    def finalists(self) -> list[Finalist]:
        """The trials that were repeated; of a search without repeats all complete ones."""
        return [
            Finalist(trial.number, trial.value, self.repeats.get(trial.number, ()))
            for trial in self.complete
            if trial.value is not None and (not self.repeats or trial.number in self.repeats)
        ]

    @property
    def best(self) -> Trial | None:
        """The trial that was chosen."""
        found = self.finalists
        winner = chosen(found).slot if found else None
        return next((trial for trial in self.complete if trial.number == winner), None)

    def mean(self, number: int) -> float | None:
        """What the repeats of a trial reached on average."""
        return next((each.mean for each in self.finalists if each.slot == number), None)

    def so_far(self) -> list[tuple[int, float]]:
        """(trial number, best value up to it)."""
        found: list[tuple[int, float]] = []
        for trial in self.complete:
            assert trial.value is not None
            found.append((trial.number, max(trial.value, found[-1][1]) if found else trial.value))
        return found

    def scale(self, name: str) -> str:
        """How a parameter was searched: choice, linear, log, or complement (1 - value in the logarithm)."""
        limits = self.space.get(name)
        if isinstance(limits, Choice):
            return "choice"
        return "complement" if limits and limits.complement else "log" if limits and limits.log else "linear"


def searches(results: Results) -> list[SearchResult]:
    """The finished tuning studies, in the plan's order."""
    found = []
    for job in results.of(TuneSpec):
        path = vouched_file(job.record, job.folder, "trials", "trials.json") if job.record else None
        if path is None:
            continue
        entries = read_json(path)
        trials = tuple(_trial(path, entry) for entry in entries if entry.get("repeats") is None)
        space = job.spec.search.space
        behind = of_jobs(f"{job.dataset} · {job.name.told}", [job])
        found.append(SearchResult(job.key, job.name, job.dataset, trials, space, _repeats(entries), behind))
    return found


def importance(search: SearchResult) -> dict[str, float]:
    """Share of each parameter in reaching the best trials (PED-ANOVA, Watanabe et al. 2023, arXiv:2304.10255).

    Shares add up to 1. Empty when fewer than ``LEAST_TRIALS`` trials are complete or there is one parameter only.
    """
    ranges = distributions(search.space)
    trials = [(params, trial.value) for trial in search.complete if (params := params_of(search.space, trial.params))]
    if len(ranges) < 2 or len(trials) < LEAST_TRIALS:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    inner = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
    for params, value in trials:
        inner.add_trial(optuna.trial.create_trial(params=params, distributions=ranges, value=value))
    found = optuna.importance.get_param_importances(inner, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    return {path: float(found[name]) for path, name in zip(search.space, ranges, strict=True)}


def tuning_table(all_searches: list[SearchResult], caption: str) -> Table:
    """A row a study: what was chosen, what it and the default reach with fresh seeds, the noise of that, importances."""
    rows = []
    for search in all_searches:
        best, spread = search.best, noise(search.finalists)
        shares = importance(search)
        values = " · ".join(f"{name} {shown(value)}" for name, value in best.params.items()) if best else "–"
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        default = " (the default)" if best and best.number == DEFAULT and search.repeats else ""
        told = [
            values + default,
            " · ".join(f"{name} {share:.2f}" for name, share in ranked) or "too few trials",
            f"{len(search.complete)} of {len(search.trials)}",
            _percent(search.mean(DEFAULT) if search.repeats else None),
            _percent(search.mean(best.number) if best else None),
            _percent(spread),
        ]
        muted = [False, not shares, *[False] * 4]
        numbers = [Entry(text, muted=quiet, behind=search.behind) for text, quiet in zip(told, muted, strict=True)]
        rows.append((Entry(search.label), Entry(search.dataset), *numbers))
    header = (
        *("method", "data set", "chosen values", "importance", "complete trials"),
        *("default (%)", "chosen (%)", "noise (points)"),
    )
    return Table("tuning", caption, header, tuple(rows), text_columns=4, printed=Printed(keys=2))


def shown(value: Value) -> str:
    """As tables and charts print it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _repeats(entries: list[dict[str, Any]]) -> dict[int, tuple[float, ...]]:
    found: dict[int, tuple[float, ...]] = {}
    for entry in entries:
        if entry.get("repeats") is not None and entry.get("value") is not None:
            number = int(entry["repeats"])
            found[number] = (*found.get(number, ()), float(entry["value"]))
    return found


def _trial(path: Path, entry: dict[str, Any]) -> Trial:
    for name in ("number", "params", "value", "state"):
        if name not in entry:
            raise InputError(f"{path}: a trial lacks {name}; delete the folder and run its job again")
    state, value = str(entry["state"]).upper(), None if entry["value"] is None else float(entry["value"])
    return Trial(
        number=int(entry.get("slot", entry["number"])),
        params=dict(entry["params"]),
        value=value if state == "COMPLETE" else None,
        floor=value if state == "DIVERGED" else None,
    )
