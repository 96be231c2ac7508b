# What the rules share: the plans of all studies, and the units of what is still to do.
#
# Records decide what is done (pipelines/spec/pending.py). A rule's output is a marker that lives as long as the run:
# Snakemake may delete its own outputs when a run breaks off, and must never delete a finished job.
import functools
import os
import subprocess
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from pipelines.advice import typed
from pipelines.errors import InputError
from pipelines.launching.polling import look_often
from pipelines.launching.verdicts import grown
from pipelines.spec import layout
from pipelines.spec.begun import begun
from pipelines.spec.speeds import Speeds
from pipelines.spec.pending import Pending, is_fresh
from pipelines.spec.workflow import TABLES, TARGETS, plans, read_config, study_files
from pipelines.watching.asked import asked_for
from pipelines.watching.events import STAGE_OF, Events
from pipelines.watching.run import WatchedRun
from pipelines.watching.watch import watch

ASKED = TARGETS & {*sys.argv}
SHOWS = any(word.split("=")[0] == "--report" for word in sys.argv)
RUNS_NOTHING = SHOWS or (bool(ASKED) and ASKED <= TABLES)
try:
    CONFIG = read_config(config)
    RESULTS = Path(CONFIG.results)
    if workflow.remote_exec:
        STUDIES = Pending.studies(RESULTS)
    else:
        # Snakemake itself knows its targets only after it has read this file.
        STUDIES = study_files(CONFIG, ASKED)
    PLANS = plans(STUDIES, CONFIG.results)
    if workflow.remote_exec:
        PENDING = Pending.read(PLANS.values(), RESULTS)
    elif RUNS_NOTHING:
        # no data has to be there to write, or to show, what the records say
        PENDING = Pending([])
    else:
        PENDING = Pending.of(PLANS.values(), RESULTS, CONFIG.rerun_changed)
except InputError as error:
    raise WorkflowError(str(error))
FILES = dict(zip(PLANS, STUDIES))
SPEEDS = Speeds((job for made in PLANS.values() for job in made.jobs.values()), RESULTS)
PYTHON = CONFIG.python or sys.executable
RUN = uuid.uuid4().hex
TRACKING = None if RUNS_NOTHING else CONFIG.tracking
TRACKING_ENVIRONMENT = (
    {  # an address may hold a password, which a process list would show
        **os.environ,
        **(
            {"PIPELINES_TRACKING_URI": TRACKING.uri}
            if TRACKING and TRACKING.uri
            else {}
        ),
    }
)
DONE = str(layout.marker(RESULTS, "{stage}", "{unit}"))
WATCH = None
BENCHMARK = str(layout.benchmark_file(RESULTS, "{stage}", "{unit}"))
LOG = str(layout.log_file(RESULTS, "{stage}", "{unit}"))


look_often()


wildcard_constraints:
    unit="[A-Za-z0-9_.-]+",
    study="[A-Za-z0-9_.-]+",
    worker="[0-9]+",


def done(stage):
    """The pattern of a stage's markers."""
    return DONE.replace("{stage}", stage)


def log_of(stage):
    """The pattern of a stage's logs."""
    return LOG.replace("{stage}", stage)


def benchmark_of(stage):
    """The pattern of what a stage's units took."""
    return BENCHMARK.replace("{stage}", stage)


def unit_of(stage, name):
    """The unit that a rule's wildcard names."""
    return PENDING.units[stage, name]


def markers(units):
    """The markers of these units."""
    return [layout.marker(RESULTS, unit.stage, unit.name) for unit in units]


def needed(stage):
    """A function that gives the markers of the units that one of this stage waits for."""
    return lambda wildcards: markers(PENDING.before(unit_of(stage, wildcards.unit)))


def jobs(stage):
    """A function that gives the folders of a unit's jobs."""
    return lambda wildcards: [
        job.folder(RESULTS) for job in unit_of(stage, wildcards.unit).jobs
    ]


def workers(name):
    """How many jobs share a tuning study's trials."""
    (job,) = unit_of("tune", name).jobs
    owner = next(made for made in PLANS.values() if job.place in made.jobs)
    return owner.study.tuning.workers


def asks(stage, what):
    """A function that gives one resource of a unit of this stage."""
    return lambda wildcards: getattr(asked(stage, wildcards.unit), what)


def processes(stage):
    """A function that gives the GPUs of a unit of this stage, one a process; 0 where none are there."""
    return lambda wildcards: unit_of(stage, wildcards.unit).processes(
        CONFIG.gpus_per_job, RESULTS
    )


def memory(stage):
    """MB of a unit of this stage, and as much again for every attempt that Slurm ended for want of memory."""
    return grown("OUT_OF_MEMORY", stage, asks(stage, "mem_mb"))


def minutes(stage):
    """Minutes of a unit of this stage, and as many again for every attempt that Slurm ended at its time limit."""
    return grown("TIMEOUT", stage, asks(stage, "minutes"), CONFIG.longest_minutes)


@functools.cache
def asked(stage, name):
    """What one unit asks for; Snakemake asks several times, and not before its inputs are there."""
    shared = workers(name) if stage == "tune" else 1
    return unit_of(stage, name).resources(
        CONFIG.gpus_per_job, RESULTS, SPEEDS, workers=shared
    )


def wanted():
    """Every study's report: the page where it is as new as the records, else the marker of its making."""
    if SHOWS:
        return [result for name in PLANS for result in shown(name)]
    return [
        (
            layout.report_page(RESULTS, name)
            if is_fresh(made, RESULTS) and not PENDING.of_plan(made)
            else layout.marker(RESULTS, "report", name)
        )
        for name, made in PLANS.items()
    ]


def shown(name):
    """What ``snakemake --report`` shows of a study. Files of no rule, so that Snakemake never deletes one of them."""
    page = layout.report_page(RESULTS, name)
    if not page.exists():
        raise WorkflowError(
            f"{RESULTS}/{name} has no report yet; run the same command without --report first"
        )
    tables = layout.tables_folder(RESULTS, name).glob("*.csv")
    figures = layout.figures_folder(RESULTS, name).glob("*.svg")
    return [
        shown_file(file, name) for file in [page, *sorted(tables), *sorted(figures)]
    ]


def shown_file(file, name):
    """One of them, with its caption and its place among the others."""
    part = "report" if file.parent.name == name else file.parent.name
    labels = {"result": file.stem}
    flagged = report(
        str(file),
        caption=caption_of(file.stem),
        category=name,
        subcategory=part,
        labels=labels,
    )
    return flagged


def caption_of(part):
    """The file with a part's caption; none where a part has none."""
    path = Path(workflow.basedir) / "reports" / "captions" / f"{part}.md"
    return str(path) if path.exists() else None


def tables():
    """The markers of all studies that declare tables."""
    return [
        layout.marker(RESULTS, "tables", name)
        for name, made in PLANS.items()
        if made.tables
    ]


def paper_tables():
    """The same of studies with something to show in a paper, or of all where this run makes their records."""
    if not RUNS_NOTHING:
        return tables()
    return [
        layout.marker(RESULTS, "tables", name)
        for name, made in PLANS.items()
        if begun(made, RESULTS)
    ]


def forget_tables():
    """Take away the markers of tables and paper: both are written anew whenever they are asked for."""
    for file in [*tables(), layout.marker(RESULTS, "paper", "paper")]:
        file.unlink(missing_ok=True)


def start():
    """Write the jobs' specs and the units, and let MLflow follow while this process lives."""
    from pipelines.spec.enough import contents_of
    from pipelines.spec.foretold import note_prices
    from pipelines.spec.writing import write_specs

    forget_tables()
    if RUNS_NOTHING:
        return
    for name, made in PLANS.items():
        write_specs(made, RESULTS)
        layout.marker(RESULTS, "report", name).unlink(missing_ok=True)
    PENDING.write(RESULTS, STUDIES, RUN)
    for made in PLANS.values():
        note_prices(made, RESULTS, contents_of(made, RESULTS))
    global WATCH
    WATCH = watched()
    WATCH.start()
    if TRACKING:
        follow = ["--parent", str(os.getpid()), "--every", str(TRACKING.every)]
        with layout.tracking_log(RESULTS).open("a") as output:
            subprocess.Popen(
                track("follow", *follow),
                env=TRACKING_ENVIRONMENT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def watched():
    """What tells how far the run is, while it goes on."""
    needed = [job for job in workflow.dag.needrun_jobs() if job.rule.name in STAGE_OF]
    wanted = {(STAGE_OF[job.rule.name], job.wildcards.unit) for job in needed}
    jobs = {place: job for made in PLANS.values() for place, job in made.jobs.items()}
    units, counted = asked_for(PENDING.units, jobs.values(), wanted)
    return watch(
        logger,
        workflow.logger_manager.get_log_handlers(),
        Events(units),
        lambda: WatchedRun(counted, units.values(), RESULTS),
        word="running" if workflow.local_exec else "submitted",
    )


def finish(failed):
    """Bring reports and MLflow up to date, and say where the results are. A failure here is told and harms nothing."""
    forget_tables()
    if RUNS_NOTHING:
        return
    if WATCH:
        WATCH.stop()
    for name, made in PLANS.items():
        if failed and not is_fresh(made, RESULTS):
            for stage in ("collect", "report"):
                subprocess.run(
                    report_line(stage, layout.study_folder(RESULTS, name)), check=False
                )
    if TRACKING:
        try:
            subprocess.run(
                track("sync"), env=TRACKING_ENVIRONMENT, check=False, timeout=900
            )
        except subprocess.TimeoutExpired:
            print(
                f"MLflow is not up to date; later: {typed('track', 'sync', '--results', RESULTS)}"
            )
    Pending.clear(RESULTS, RUN)
    for name in PLANS:
        page = layout.report_page(RESULTS, name)
        if page.exists():
            print(f"{answer_of(page.parent)}\nreport: {page.resolve()}")
    print(f"MLflow: make ui (or: {typed('track', 'ui', '--results', RESULTS)})")


def answer_of(folder):
    """The answer of a study in a few lines; nothing where it cannot be read."""
    from pipelines.report.brief import Brief

    try:
        return (
            f"\n{Brief.model_validate_json((folder / layout.BRIEF).read_text()).text}"
        )
    except (OSError, ValueError):
        return ""


def report_line(stage, folder):
    """The command line of ``python -m pipelines collect`` or ``report``."""
    where = ["--plan", str(folder / "plan.json"), "--results", str(RESULTS)]
    return [PYTHON, "-m", "pipelines", stage, *where, "--out", str(folder)]


def track(verb, *arguments):
    """The command line of ``python -m pipelines track``."""
    where = ["--results", str(RESULTS), f"--prefix={TRACKING.prefix}"]
    return [
        PYTHON,
        "-m",
        "pipelines",
        "track",
        verb,
        *where,
        *arguments,
    ]
