"""The stages and their arguments, in one table that imports nothing heavy; a stage's module is loaded when it runs."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import Problem, disk_refuses
from pipelines.launching.gpus import gpus_for
from pipelines.masking import masked
from pipelines.surroundings import unfit

RESULTS = Path("results")
TEXTS = Path(__file__).resolve().parents[1] / "reports"


@dataclass(frozen=True)
class Argument:
    """One argument of a stage: its name or flag, and what argparse wants to know of it."""

    name: str
    help: str
    more: dict[str, Any]


def arg(name: str, help: str, **more: Any) -> Argument:
    """An argument; ``more``: as in argparse."""
    return Argument(name, help, more)


@dataclass(frozen=True)
class Command:
    """A stage, or a part of one: what it does, and its arguments, with which ``run`` in its module is called."""

    does: str
    arguments: tuple[Argument, ...] = ()
    parts: "dict[str, Command] | None" = None
    gpus: Callable[[dict[str, Any]], int] = lambda _: 0
    """How many GPUs of this machine it works on, by its arguments."""


JOBS = arg(
    "--job", "folders of jobs, each with its spec.json (results/jobs/STAGE/KEY)", type=Path, nargs="+", required=True
)
ONE_JOB = arg("--job", "the job's folder, with its spec.json (results/jobs/STAGE/KEY)", type=Path, required=True)
STUDY_FILES = arg("studies", "study files or names, e.g. quickstart", nargs="+", type=Path, metavar="STUDY")
TEXTS_ARG = arg("--texts", "folder with published/, templates/ and captions/", type=Path, default=TEXTS)
RESULTS_ARG = arg("--results", "results folder (default: results)", type=Path, default=RESULTS)
PLAN = arg("--plan", "the study's plan.json (results/STUDY/plan.json)", type=Path, required=True)
OUT = arg("--out", "folder for what is written, e.g. results/STUDY", type=Path, required=True)
TRACKED = (
    RESULTS_ARG,
    arg("--uri", "MLflow server or database (default: $PIPELINES_TRACKING_URI, else mlflow.db in the results folder)"),
    arg("--prefix", "before the names of experiments, which are those of the studies", default=""),
)
STUDIES = arg("--study", "only jobs of these: study files or names", nargs="+", default=[], metavar="STUDY")

SHARED_JOBS = (
    JOBS,
    arg("--processes", "processes in all, one a GPU (default: 1)", type=int, default=1),
    arg("--nodes", "nodes of the Slurm allocation they share (default: 1)", type=int, default=1),
)


def _one_a_process(arguments: dict[str, Any]) -> int:
    """None over several nodes, where Slurm hands them out, and none for the processes of a launcher that has taken them."""
    return 0 if arguments["nodes"] > 1 or "RANK" in os.environ else max(1, int(arguments["processes"]))


STAGES = {
    "plan": Command(
        "print the jobs of studies, each with its command and whether it is done",
        (
            STUDY_FILES,
            RESULTS_ARG,
            arg("--write", "write the jobs' spec.json files", action="store_true"),
            arg("--counts", "print only how many jobs each stage has", action="store_true"),
            arg("--cost", "print only what is left to do and what it costs", action="store_true"),
            arg(
                "--power",
                "print only how many seeds each claim needs to show a difference, and what they cost",
                action="store_true",
            ),
            arg(
                "--difference",
                "for --power: points of accuracy beyond the claim's bound (default: 1)",
                type=float,
                metavar="POINTS",
            ),
        ),
    ),
    "status": Command(
        "print where studies stand: done, running, stopped with the reason, and left, from the records alone",
        (STUDY_FILES, RESULTS_ARG),
    ),
    "check-reproduction": Command(
        "say row by row whether studies reproduce the published figures they name; ends with 0 (all), 3 (one not), 4 (open)",
        (arg("studies", "study files with reproduces", nargs="+", type=Path, metavar="STUDY"), RESULTS_ARG),
    ),
    "accept": Command(
        "say that a change of the code alters no result of these studies; their records keep the reason",
        (
            STUDY_FILES,
            RESULTS_ARG,
            arg("--reason", "why the results stand, e.g. 'renamed a variable'", required=True),
        ),
    ),
    "verify": Command(
        "compare all that studies' results hold with what is known of it, a line for every fault; changes nothing",
        (STUDY_FILES, RESULTS_ARG),
    ),
    "repair": Command(
        "set aside what verify finds damaged, rebuild what is derived, so that the next run makes exactly that anew",
        (STUDY_FILES, RESULTS_ARG),
    ),
    "look": Command(
        "print what a study's data sets hold: layout, splits, classes, sizes, what is left out; writes nothing",
        (arg("study", "a study file, or a name", type=Path, metavar="STUDY"),),
    ),
    "shards": Command(
        "raw images to WebDataset tars with an index; goes on where it was stopped",
        (ONE_JOB, arg("--workers", "processes that pack shards (default: 1)", type=int, default=1)),
    ),
    "tune": Command(
        "search a method's options with Optuna; without --worker and --close all slots, then the closing",
        (
            ONE_JOB,
            arg("--worker", "run the slots of this worker only", type=int),
            arg("--of", "number of workers (default: 1)", type=int, default=1),
            arg("--close", "all slots are done: write trials.json, best.json and the record", action="store_true"),
        ),
        gpus=lambda arguments: 0 if arguments["close"] else 1,
    ),
    "pretrain": Command(
        "train one method on one data set with one seed, or several one after the other; resumes where it was stopped",
        SHARED_JOBS,
        gpus=_one_a_process,
    ),
    "evaluate": Command(
        "measure encoders by protocols; those on features embed once", SHARED_JOBS, gpus=_one_a_process
    ),
    "export": Command(
        "write a pretrained encoder for elsewhere: safetensors that timm and torchvision load, config.json, a model card",
        (
            arg("job", "folder of a finished pretraining (results/jobs/pretrain/KEY)", type=Path, metavar="JOB"),
            arg("--to", "folder for model.safetensors, config.json and README.md", type=Path, required=True),
            arg(
                "--names",
                "whose names a vision transformer's weights bear (default: timm); a ResNet's are the same in both",
                choices=("timm", "torchvision"),
                default="timm",
            ),
            arg("--onnx", "write model.onnx too (needs the extra onnx)", action="store_true"),
        ),
    ),
    "embed-images": Command(
        "features of a folder of images from an export or a finished pretraining; goes on where it was stopped",
        (
            arg("weights", "folder of an export, or of a finished pretraining", type=Path, metavar="WEIGHTS"),
            arg("folder", "images, in folders or not; an image's id is its path in here", type=Path, metavar="FOLDER"),
            arg("--to", "the Parquet file to write, with columns id and features", type=Path, required=True),
        ),
        gpus=lambda _: 1,
    ),
    "collect": Command(
        "put the records of a study into one table, records.csv and records.parquet", (PLAN, RESULTS_ARG, OUT)
    ),
    "report": Command(
        "write a study's report.html, tables (LaTeX, Markdown, CSV) and figures (SVG, PDF) from the records",
        (
            PLAN,
            RESULTS_ARG,
            OUT,
            TEXTS_ARG,
        ),
    ),
    "tables": Command(
        "write the tables that studies declare (LaTeX, Markdown, CSV, HTML) into results/STUDY/tables, from the records alone",
        (STUDY_FILES, RESULTS_ARG, TEXTS_ARG),
    ),
    "paper": Command(
        "put the declared tables of studies, and their reports' figures, into one document: results/paper/paper.tex and .pdf",
        (STUDY_FILES, RESULTS_ARG),
    ),
    "track": Command(
        "mirror the job folders in MLflow, and look at them",
        parts={
            "init": Command("make the database, before anything runs at once", TRACKED),
            "sync": Command(
                "send everything MLflow does not hold yet",
                (*TRACKED, STUDIES),
            ),
            "follow": Command(
                "sync again and again while a process lives",
                (
                    *TRACKED,
                    STUDIES,
                    arg("--parent", "the process to outlive by one sync", type=int, required=True, metavar="PID"),
                    arg("--every", "time between syncs (default: 15)", type=float, default=15.0, metavar="SECONDS"),
                ),
            ),
            "ui": Command(
                "start MLflow's web page on this machine",
                (
                    *TRACKED,
                    arg("--study", "the one to look at: a study file or a name", default=None, metavar="STUDY"),
                    arg("--port", "port on 127.0.0.1 (default: 5000)", type=int, default=5000),
                ),
            ),
        },
    ),
}
"""Every stage: ``pipelines/stages/NAME.py`` has ``run``, a stage with parts one function a part."""


def parser() -> argparse.ArgumentParser:
    """The command line of all stages."""
    result = argparse.ArgumentParser(prog="python -m pipelines", description="Raw images to report, stage by stage.")
    _add_parts(result, STAGES, "STAGE", "stage")
    return result


def _add_parts(under: argparse.ArgumentParser, commands: dict[str, Command], metavar: str, dest: str) -> None:
    choices = under.add_subparsers(required=True, metavar=metavar, dest=dest)
    for name, command in commands.items():
        one = choices.add_parser(name, help=command.does, description=command.does)
        for argument in command.arguments:
            one.add_argument(argument.name, help=argument.help, **argument.more)
        if command.parts:
            _add_parts(one, command.parts, "COMMAND", "part")


def main(argv: Sequence[str]) -> int:
    """Run one stage; 0 when it went well, 1 for a problem told in a message, 2 for a call that names no stage, else its own."""
    if wrong := unfit():
        print(f"error: {wrong}", file=sys.stderr)
        return 1
    arguments = vars(parser().parse_args(argv))
    stage, part = arguments.pop("stage"), arguments.pop("part", "run")
    try:
        with gpus_for(STAGES[stage].gpus(arguments)):
            module = importlib.import_module(f"pipelines.stages.{stage.replace('-', '_')}")
            return int(getattr(module, part)(**arguments) or 0)
    except Problem as error:
        print(f"error: {masked(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except OSError as error:
        if not disk_refuses(error):
            raise
        print(f"error: {error}; free space or mend the folder, and run the same command again", file=sys.stderr)
        return 1
