"""The workflow config: HOW to run, in workflow/config.yaml and ``snakemake --config``, checked as strictly as a study."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, field_validator

from pipelines.errors import InputError
from pipelines.spec.base import Model, Positive
from pipelines.spec.parse import check_keys, parse
from pipelines.spec.plan import Plan, plan_file

WHERE = "workflow config: "
CLAIMS = "reproduce_claims"
"""The target that runs the studies of claims."""
TABLES = frozenset({"tables", "paper"})
"""The targets that run nothing, and write declared tables from the records."""
TARGETS = frozenset({"reproduce_all", CLAIMS, *TABLES})
"""What decides which studies a call is about."""
Text = Annotated[str, Field(min_length=1)]


def _typed(value: Any) -> Any:
    """A value of ``--config``, which is text inside braces and brackets, as YAML reads it in the file."""
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        return value


def _files(value: Any) -> tuple[Any, ...]:
    """``--config studies=FILE`` means one file."""
    if not value or not isinstance(value, str | list | tuple):
        raise ValueError("must be a list of at least one study file")
    return (value,) if isinstance(value, str) else tuple(value)


def _null(value: Any) -> Any:
    """``--config python=null`` gives the text null."""
    return None if value == "null" else value


class Tracking(Model):
    """How MLflow mirrors the records."""

    uri: Annotated[Text | None, BeforeValidator(_null)] = None
    """A server (http://HOST:PORT) or a database (sqlite:///FILE, postgresql://...); null: mlflow.db in the results."""
    prefix: str = Field(default="", max_length=200)
    """Before the names of MLflow's experiments, which are those of the studies."""
    every: Annotated[Positive, BeforeValidator(_typed)] = 20.0
    """Seconds between two looks at what running jobs have written."""

    @field_validator("uri")
    @classmethod
    def _address(cls, uri: str | None) -> str | None:
        if uri is not None and ("://" not in uri or uri.startswith("file:")):
            raise ValueError(
                "must be a server (http://HOST:PORT), a database (sqlite:///FILE, postgresql://...) or null"
            )
        return uri


def _tracking(value: Any) -> Any:
    if value is False or value == "off":  # YAML reads off as false, the command line as text
        return None
    if not isinstance(value, Mapping):
        raise ValueError("must be off, or a mapping of uri, prefix and every")
    return value


def _off_for_null(schema: dict[str, Any]) -> None:
    schema["anyOf"][-1] = {"enum": ["off", False]}


class WorkflowConfig(Model):
    """How to run. What to run stands in the studies."""

    studies: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_files)]
    """Study files, for reproduce_all."""
    claims: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_files)] = (
        "experiments/feature_transformation",
        "experiments/ablations",
    )
    """Study files, or folders of them, for reproduce_claims."""
    tables: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_files)] = (
        "experiments/feature_transformation",
        "experiments/ablations",
        "experiments/all_methods.yaml",
        "experiments/transfer.yaml",
    )
    """Study files, or folders of them, whose tables are written for the targets tables and paper, beside those of studies."""
    full: Annotated[bool, BeforeValidator(_typed)] = False
    """Whether reproduce_all runs the studies of ``claims`` and ``tables`` too: all that the project reproduces by itself."""
    results: Text = "results"
    """The folder of all results: jobs, logs, reports and MLflow's database."""
    python: Annotated[Text | None, BeforeValidator(_null)] = None
    """The Python that runs the jobs, a path or a name; null: the one that runs Snakemake. With conda environments: python"""
    tracking: Annotated[Tracking | None, BeforeValidator(_tracking)] = Field(
        default=Tracking(), validate_default=False, json_schema_extra=_off_for_null
    )
    """MLflow follows the jobs while they run; off (None here): no MLflow at all."""
    gpus_per_job: Annotated[int, BeforeValidator(_typed)] = Field(default=1, ge=0)
    """GPUs a pretraining job uses, and a large evaluation that trains on images (torchrun inside the job when more than
    one); 0 where there is none."""
    longest_minutes: Annotated[int | None, BeforeValidator(_null), BeforeValidator(_typed)] = Field(default=None, ge=10)
    """The longest time that a job may ask for: its partition's limit. A training that needs longer goes on in several
    pieces; null: no limit."""
    rerun_changed: Annotated[bool, BeforeValidator(_typed)] = False
    """Whether results that other code made are made anew; false: they are kept, and tables mark them."""

    @field_validator("results")
    @classmethod
    def _no_wildcard(cls, results: str) -> str:
        if "{" in results or "}" in results:
            raise ValueError("must be a folder without { and }, which Snakemake takes for a wildcard")
        return results


def read_config(mapping: Mapping[str, Any]) -> WorkflowConfig:
    """Snakemake's config, every key checked; InputError names key, value, rule and way out."""
    check_keys(WorkflowConfig, mapping, WHERE)
    config: WorkflowConfig = parse(WorkflowConfig, dict(mapping), WHERE)
    return config


def study_files(config: WorkflowConfig, targets: Collection[str]) -> tuple[str, ...]:
    """The study files that a call of Snakemake with these targets is about; InputError for a folder without one.

    Tables asked for beside a target that runs studies are those of these studies: the others would be run along.
    """
    runs = set(targets) - TABLES
    only_tables = bool(targets) and not runs
    full = config.full and not only_tables and runs != {CLAIMS}
    found = list(config.studies) if runs != {CLAIMS} else []
    found += _in_folders(config.claims, "claims") if CLAIMS in targets or full else []
    found += _in_folders(config.tables, "tables") if only_tables or full else []
    return tuple(dict.fromkeys(found))


def _in_folders(entries: Iterable[str], key: str) -> list[str]:
    return [file for entry in entries for file in _in_folder(entry, key)]


def _in_folder(entry: str, key: str) -> list[str]:
    if not Path(entry).is_dir():
        return [entry]
    if files := sorted(str(path) for path in Path(entry).glob("*.yaml")):
        return files
    raise InputError(f"{WHERE}{key}: the folder {entry} holds no study (*.yaml); take it out of the list")


def plans(files: Iterable[str], results: str) -> dict[str, Plan]:
    """The plan of every study file, by name; InputError when two would share a folder in ``results``."""
    found: dict[str, Plan] = {}
    owners: dict[str, str] = {}
    for file in files:
        made = plan_file(Path(file))
        name = made.study.name
        if name.casefold() in owners:  # some file systems take two names that differ in case for one
            both = f"{owners[name.casefold()]} and {file}"
            raise InputError(f"{WHERE}studies: {both} would share the folder {results}/{name}; rename one of them")
        owners[name.casefold()] = file
        found[name] = made
    return found
