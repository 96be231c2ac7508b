"""A study as the report sees it: every planned job, with its record once it has finished."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipelines.advice import plan_again
from pipelines.errors import InputError
from pipelines.files import read_sealed
from pipelines.records import FILE, Record
from pipelines.spec.claims import PlannedClaim
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.folder import own_record
from pipelines.spec.foretold import foretold
from pipelines.spec.job import INPUT_STAGE, Place
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec, ShardsSpec, TuneSpec
from pipelines.spec.layout import job_folder
from pipelines.spec.parse import parse
from pipelines.spec.price import Price
from pipelines.spec.recipes import FromRecipe
from pipelines.spec.reproductions import PlannedReproduction
from pipelines.spec.row_name import RowName

AnySpec = ShardsSpec | TuneSpec | PretrainSpec | EvaluateSpec
SPECS: dict[str, type[AnySpec]] = {kind.stage: kind for kind in (ShardsSpec, TuneSpec, PretrainSpec, EvaluateSpec)}
S = TypeVar("S", bound=AnySpec, covariant=True)
KEYS = {"study", "file", "question", "seeds", "datasets", "main", "tuned", "claims", "reproduces", "recipes", "jobs"}
"""What a plan.json holds."""


@dataclass(frozen=True)
class Result(Generic[S]):
    """A planned job. ``record`` is None while it has not finished; ``folder`` is where its outputs lie."""

    key: str
    name: RowName
    """What tables call it: the method's label with its grid point, or the floor's name."""
    spec: S
    inputs: dict[str, str]
    folder: Path
    record: Record | None

    @property
    def label(self) -> str:
        """The line of the tables that it belongs to."""
        return self.name.label

    @property
    def stage(self) -> str:
        """The stage that does it."""
        return self.spec.stage

    @property
    def place(self) -> Place:
        """Stage and key: what tells it from every other job."""
        return self.stage, self.key

    @property
    def origin(self) -> str:
        """Where the encoder comes from: pretrain, untrained, checkpoint or pixels."""
        return self.spec.source.use if isinstance(self.spec, EvaluateSpec) else "pretrain"

    @property
    def dataset(self) -> str:
        """What the data set is called in tables."""
        return self.spec.dataset.short_name

    @property
    def seed(self) -> int | None:
        """The seed, None for jobs without one."""
        return self.spec.seed if isinstance(self.spec, PretrainSpec | EvaluateSpec) else None

    @property
    def flags(self) -> tuple[str, ...]:
        """The record's flags; empty while there is no record."""
        return self.record.flags if self.record else ()


@dataclass(frozen=True)
class Results:
    """A plan with what is done of it."""

    study: str
    question: str
    all: tuple[Result[AnySpec], ...]
    claims: tuple[PlannedClaim, ...] = ()
    reproductions: tuple[PlannedReproduction, ...] = ()
    file: str = ""
    """The study file, from the folder of the checkout; empty where an earlier program planned it."""
    main: Protocol | None = None
    """The protocol that leads; none where an earlier program planned the study: the first that was planned."""
    foretold: Mapping[Place, Price] = field(default_factory=dict)
    """What each job was to take, as noted when the run that did it began."""
    recipes: Mapping[str, FromRecipe] = field(default_factory=dict)
    """Label of a method entry -> the recipe it names; empty where an earlier program planned."""

    def of(self, kind: type[S]) -> list[Result[S]]:
        """The jobs of one stage, by its spec, in the plan's order."""
        return [result for result in self.all if isinstance(result.spec, kind)]  # type: ignore[misc]

    def line(self, result: Result[Any]) -> list[Result[AnySpec]]:
        """The job and all it was made from, nearest first (evaluate, pretrain, shards)."""
        found: dict[tuple[str, str], Result[AnySpec]] = {}
        waiting: list[Result[AnySpec]] = [result]
        while waiting:
            current = waiting.pop(0)
            if found.setdefault((current.stage, current.key), current) is current:
                places = [(INPUT_STAGE[name], key) for name, key in current.inputs.items()]
                waiting += [self._by_place[place] for place in places if place in self._by_place and place not in found]
        return list(found.values())

    def pretraining(self, result: Result[Any]) -> Result[PretrainSpec] | None:
        """The pretraining an evaluation rests on; None for a floor."""
        found = self._by_place.get(("pretrain", result.inputs.get("weights", "")))
        return found if found and isinstance(found.spec, PretrainSpec) else None  # type: ignore[return-value]

    @functools.cached_property
    def trained_on(self) -> tuple[str, ...]:
        """The data sets that are pretrained on, in the plan's order."""
        return tuple(dict.fromkeys(job.dataset for job in self.of(PretrainSpec)))

    @functools.cached_property
    def counted(self) -> dict[str, int]:
        """Name of a data set -> its images of train, of those that are packed."""
        packed = {job.dataset: job.record.metrics.get("data/train") for job in self.of(ShardsSpec) if job.record}
        return {name: int(count) for name, count in packed.items() if count}

    @functools.cached_property
    def _by_place(self) -> dict[tuple[str, str], Result[AnySpec]]:
        return {each.place: each for each in self.all}


def load_results(plan: Path, results: Path) -> Results:
    """Read ``plan`` (a plan.json) and the records there are under ``results/jobs/STAGE/KEY``.

    Raises InputError when the plan lacks a field, or when a record is not of the job whose folder it lies in.
    """
    return results_of(read_sealed(plan, plan_again(results)), results, str(plan))


def results_of(value: Any, results: Path, plan: str) -> Results:
    """The same from a plan's values; ``plan`` is what messages call it."""
    if not isinstance(value, dict):
        raise InputError(f"{plan}: must be an object with study, question and jobs; {plan_again(results)}")
    for name in ("study", "question", "jobs"):
        if name not in value:
            raise InputError(f"{plan}: {name} is missing; {plan_again(results)}")
    if unknown := sorted(set(value) - KEYS):
        raise InputError(f"{plan}: there is no key {unknown[0]!r} in a plan; {plan_again(results)}")
    found = tuple(_result(f"{plan}: jobs[{number}]", job, results) for number, job in enumerate(value["jobs"]))
    _refuse_twins(plan, results, found)
    claims = parse(tuple[PlannedClaim, ...], value.get("claims", []), f"{plan}: claims")
    reproductions = parse(tuple[PlannedReproduction, ...], value.get("reproduces", []), f"{plan}: reproduces")
    study = str(value["study"])
    main = parse(AnyEvaluation, value["main"]["evaluation"], f"{plan}: main.evaluation") if "main" in value else None
    noted, file = foretold(results, study), str(value.get("file", ""))
    recipes = parse(dict[str, FromRecipe], value.get("recipes", {}), f"{plan}: recipes")
    return Results(study, str(value["question"]), found, claims, reproductions, file, main, noted, recipes)


def _result(where: str, job: dict[str, Any], results: Path) -> Result[AnySpec]:
    for name in ("stage", "key", *RowName.model_fields, "spec", "inputs"):
        if name not in job:
            raise InputError(f"{where}.{name} is missing; {plan_again(results)}")
    stage, key = job["stage"], job["key"]
    if stage not in SPECS:
        raise InputError(
            f"{where}.stage: there is no stage {stage!r} with a result ({', '.join(SPECS)}); {plan_again(results)}"
        )
    folder = job_folder(results, stage, key)
    record = own_record(folder) if (folder / FILE).exists() else None
    spec = parse(SPECS[stage], job["spec"], f"{where}.spec: ")
    called = parse(RowName, {name: job[name] for name in RowName.model_fields}, f"{where}.")
    return Result(key, called, spec, job["inputs"], folder, record)


def _refuse_twins(plan: str, results: Path, found: Iterable[Result[AnySpec]]) -> None:
    seen: set[tuple[str, str]] = set()
    for each in found:
        place = (each.stage, each.key)
        if place in seen:
            raise InputError(f"{plan}: two {each.stage} jobs have the key {each.key}; {plan_again(results)}")
        seen.add(place)
