# What the rules share: the plans of all studies, and paths by stage and key.
import functools
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from pipelines.errors import InputError
from pipelines.files import digest
from pipelines.spec.job import INPUT_STAGE
from pipelines.spec.resources import resources as job_resources
from pipelines.spec.workflow import plans, read_config

try:
    CONFIG = read_config(config)
    PLANS = plans(CONFIG)
except InputError as error:
    raise WorkflowError(str(error))
RESULTS = Path(CONFIG.results)
JOBS = RESULTS / "jobs"
PYTHON = CONFIG.python or sys.executable
TRACKING = CONFIG.tracking
ALL = {place: job for made in PLANS.values() for place, job in made.jobs.items()}


wildcard_constraints:
    key="[A-Za-z0-9_.-]+",
    study="[A-Za-z0-9_.-]+",
    worker="[0-9]+",


def records(stage):
    """A function that gives the records a job of this stage needs."""
    return lambda wildcards: [
        JOBS / INPUT_STAGE[name] / key / "record.json"
        for name, key in ALL[stage, wildcards.key].inputs.items()
    ]


def workers(wildcards):
    """The markers of the jobs that share a tuning study's trials."""
    owner = next(
        made for made in PLANS.values() if ("tune", wildcards.key) in made.jobs
    )
    return [
        JOBS / f"tune/{wildcards.key}/worker-{i}.json"
        for i in range(owner.study.tuning.workers)
    ]


def study_records(wildcards):
    """Every record of a study."""
    return [
        job.folder(RESULTS) / "record.json"
        for job in PLANS[wildcards.study].jobs.values()
    ]


def plan_digest(wildcards):
    """Changes when the study's plan does, labels included."""
    return digest(PLANS[wildcards.study].dump())


def asks(stage, what):
    """A function that gives one resource of a job of this stage."""
    return lambda wildcards: getattr(asked(stage, wildcards.key), what)


def grows(stage, what):
    """Like ``asks``, times the attempt: a job that ran out of memory or time gets more when it is submitted anew."""
    return lambda wildcards, attempt: attempt * getattr(
        asked(stage, wildcards.key), what
    )


@functools.cache
def asked(stage, key):
    """What one job asks for; Snakemake asks several times."""
    return job_resources(ALL[stage, key])


def start():
    """Write the jobs' specs, and let MLflow follow while this process lives."""
    from pipelines.stages.job import write_specs

    for made in PLANS.values():
        write_specs(made, RESULTS)
    if TRACKING:
        follow = ["--parent", str(os.getpid()), "--every", str(TRACKING.every)]
        log_path = RESULTS / "tracking.log"
        with log_path.open("a") as output:
            subprocess.Popen(
                track("follow", *follow),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def finish(log):
    """Bring MLflow up to date (a failure there is told and harms nothing), and say where the results are."""
    if TRACKING:
        subprocess.run(track("sync"), check=False)
    for name in PLANS:
        page = RESULTS / name / "report.html"
        if page.exists():
            print(f"report: {page.resolve()}")
    print(f"MLflow: make ui (or: python -m pipelines track ui --results {RESULTS})")


def track(verb, *arguments):
    """The command line of ``python -m pipelines track``."""
    where = ["--results", str(RESULTS), "--experiment", TRACKING.experiment]
    return [
        PYTHON,
        "-m",
        "pipelines",
        "track",
        verb,
        *where,
        *(["--uri", TRACKING.uri] if TRACKING.uri else []),
        *arguments,
    ]
