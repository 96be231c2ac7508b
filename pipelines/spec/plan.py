"""A study as jobs: stage, key, resolved spec and named inputs. Torch-free; keys depend on content alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.claimed import planned_claims
from pipelines.spec.claims import PlannedClaim
from pipelines.spec.job import Job, Place
from pipelines.spec.load import load_study
from pipelines.spec.planner import Planner
from pipelines.spec.reproduced import planned_reproductions
from pipelines.spec.reproductions import PlannedReproduction
from pipelines.spec.row_name import RowName
from pipelines.spec.study import Study
from pipelines.spec.study_files import study_file
from pipelines.spec.table_rows import Known
from pipelines.spec.tabled import planned_tables
from pipelines.spec.tables import PlannedTable


@dataclass(frozen=True)
class Plan:
    """All jobs of a study, by stage and key, in an order in which they can run; each with the name tables give it."""

    study: Study
    jobs: dict[Place, Job]
    names: dict[Place, RowName]
    notes: dict[str, tuple[str, ...]]
    """Label of a method -> whose settings were overruled by whose."""
    claims: tuple[PlannedClaim, ...] = ()
    reproductions: tuple[PlannedReproduction, ...] = ()
    tables: tuple[PlannedTable, ...] = ()
    """Made from records alone, so that no dump and no report depends on them."""
    file: str = ""
    """The study file, for the report."""

    def of(self, stage: str) -> list[Job]:
        """The jobs of one stage."""
        return [job for (name, _), job in self.jobs.items() if name == stage]

    def dump(self) -> dict[str, Any]:
        """What collect and report need: plain JSON values."""
        study, main = self.study, self.study.main_protocol
        reproduces = [each.model_dump(mode="json") for each in self.reproductions]
        return {
            "study": study.name,
            "file": self.file,
            "question": study.question,
            "seeds": list(study.seeds),
            "datasets": {dataset.short_name: dataset.role for dataset in study.all_datasets},
            "main": {"evaluation": main.model_dump(mode="json"), "number": main.numbers[0]},
            "tuned": list(study.tuning.methods) if study.tuning else [],
            "claims": [claim.model_dump(mode="json") for claim in self.claims],
            **({"reproduces": reproduces} if reproduces else {}),
            **({"recipes": recipes} if (recipes := self._recipes()) else {}),
            "jobs": [
                {
                    "stage": job.stage,
                    "key": job.key,
                    **self.names[place].model_dump(),
                    "inputs": job.inputs,
                    "spec": job.spec.model_dump(mode="json"),
                }
                for place, job in self.jobs.items()
            ],
        }

    def _recipes(self) -> dict[str, Any]:
        """Label of a method entry -> its recipe, with what that says."""
        entries = [*self.study.methods, *([self.study.ceiling] if self.study.ceiling else [])]
        named = {entry.label: entry.recipe for entry in entries if entry.recipe}
        return {label: recipe.model_dump(mode="json", exclude_unset=True) for label, recipe in named.items()}


def plan(study: Study) -> Plan:
    """Expand a study: shards, tuning, pretraining, evaluations; InputError for what cannot work."""
    planner = Planner(study)
    planner.expand()
    jobs, labels = planner.jobs, {place: name.label for place, name in planner.names.items()}
    reproductions = planned_reproductions(study, jobs.values(), labels)
    tables = planned_tables(Known.of(study, jobs.values(), labels), reproductions)
    return Plan(study, jobs, planner.names, planner.notes, planned_claims(study), reproductions, tables)


def plan_file(path: Path) -> Plan:
    """The plan of a study, given by its file or its name; InputError names the file."""
    path = study_file(path)
    study = load_study(path)
    try:
        return replace(plan(study), file=_told(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _told(path: Path) -> str:
    """A study file for a page that others read: from the working folder, or by its name where it lies elsewhere."""
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else path.name
