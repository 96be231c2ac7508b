"""A run watched: counts from Snakemake's events and the jobs' folders, the time left, and where it is told."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from report_tools import finish, planned
from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_tools import ROOT

from pipelines.files import read_json
from pipelines.history import History
from pipelines.spec.plan import plan_file
from pipelines.spec.price import ASSUMED
from pipelines.spec.units import Unit, units
from pipelines.watching.asked import asked_for
from pipelines.watching.events import Events
from pipelines.watching.lines import block, line
from pipelines.watching.run import START, Now, WatchedRun
from pipelines.watching.watch import RunWatch, in_lines, watch

STUDY = """
question: How far is it?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: moco, queue_size: 64}]
training: {epochs: 4, batch_size: 32}
seeds: [0, 1]
floors: false
evaluation: [{use: knn}]
"""


class Place:
    """A planned study, its units, and Snakemake's log of them."""

    def __init__(self, folder: Path) -> None:
        planned(folder, STUDY)
        self.results, self.plan = folder, plan_file(folder / "study.yaml")
        self.units = {(unit.stage, unit.name): unit for unit in units(self.plan.jobs.values())}
        self.events = Events(self.units)
        self.run = WatchedRun(self.plan.jobs.values(), self.units.values(), folder)

    def unit(self, stage: str) -> Unit:
        return next(unit for unit in self.units.values() if unit.stage == stage)

    def tell(self, event: LogEvent, **named: object) -> None:
        record = logging.makeLogRecord({"event": event, "levelno": logging.INFO, **named})
        self.events.handle(record)

    def start(self, number: int, rule: str, unit: Unit) -> None:
        self.tell(LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards={"unit": unit.name})

    def record(self, job, seconds: float = 10.0) -> None:
        listed = read_json(self.results / "study" / "plan.json")["jobs"]
        finish(self.results, next(each for each in listed if each["key"] == job.key), seconds=seconds)

    def look(self, passed: float = 1.0) -> Now:
        return self.run.look(*self.events.look(), passed)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def stage(now: Now, name: str) -> tuple[int, int, int, int]:
    found = next(each for each in now.stages if each.name == name)
    return found.done, found.running, found.left, found.failed


def test_jobs_are_left_then_running_then_done(place):
    count = len(place.plan.of("shards"))
    assert stage(place.look(), "shards") == (0, 0, count, 0)
    unit = place.unit("shards")
    place.start(7, "shards", unit)
    assert stage(place.look(), "shards") == (0, 1, count - 1, 0)
    for job in unit.jobs:
        place.record(job)
    place.tell(LogEvent.JOB_FINISHED, job_id=7)
    assert stage(place.look(), "shards") == (count, 0, 0, 0)


def test_what_a_run_was_not_asked_for_is_not_counted(place):
    """snakemake --until shards: pretraining and evaluation wait for another run; what is done already still counts."""
    wanted = {each for each in place.units if each[0] == "shards"}
    units, jobs = asked_for(place.units, place.plan.jobs.values(), wanted)
    assert units.keys() == wanted
    assert {job.stage for job in jobs} == {"shards"}
    done = next(each for each in place.units if each[0] == "pretrain")
    left = {name: unit for name, unit in place.units.items() if name != done}
    _, jobs = asked_for(left, place.plan.jobs.values(), wanted)
    assert {job.place for job in jobs if job.stage == "pretrain"} == {job.place for job in place.units[done].jobs}


def test_a_job_that_ended_without_a_record_has_failed_until_it_is_tried_again(place):
    unit, count = place.unit("shards"), len(place.plan.of("shards"))
    place.start(7, "shards", unit)
    place.tell(LogEvent.JOB_ERROR, jobid=7)
    assert stage(place.look(), "shards") == (0, 0, 0, count)
    place.start(7, "shards", unit)
    assert stage(place.look(), "shards") == (0, 1, 0, 0)
    place.tell(LogEvent.JOB_FINISHED, job_id=7)  # ended well, and left no record: so does one bad job of a unit
    assert stage(place.look(), "shards") == (0, 0, 0, count)


def test_events_of_other_rules_and_other_messages_change_nothing(place):
    place.tell(LogEvent.JOB_INFO, jobid=1, rule_name="report", wildcards={"study": "study"})
    place.tell(LogEvent.JOB_INFO, jobid=2, rule_name="reproduce_all", wildcards=None)
    place.tell(LogEvent.JOB_FINISHED, job_id=1)
    place.events.handle(logging.makeLogRecord({"msg": "Building DAG of jobs..."}))
    assert place.events.look() == ([], [])


def test_the_folders_of_waiting_jobs_are_not_looked_at(place):
    """A record that appears without Snakemake's knowledge is not seen: a look costs the same for any number of jobs."""
    place.record(place.unit("shards").jobs[0])
    assert stage(place.look(), "shards")[0] == 0


def test_the_time_left_is_the_work_left_at_the_price_that_was_paid_so_far(place):
    shards, pretrain, evaluate = (place.plan.of(name) for name in ("shards", "pretrain", "evaluate"))
    place.start(1, "shards", place.unit("shards"))
    assert place.look().guessed
    for job in shards:
        place.record(job, seconds=1.0)
    place.tell(LogEvent.JOB_FINISHED, job_id=1)
    place.look(passed=0.0)
    unit = place.unit("pretrain")
    place.start(2, "pretrain", unit)
    place.record(unit.jobs[0], seconds=100.0)
    work = 1.0 + 100.0 + START  # two jobs, and one process that has started and ended
    now = place.look(passed=3 * work - 1.0)  # every second of work has cost three, the first look's second included
    waiting = sum(unit.stage in ("pretrain", "evaluate") for unit in place.units.values()) - (len(unit.jobs) == 1)
    left = (len(pretrain) - 1) * 100.0 + len(evaluate) * ASSUMED + START * (waiting - 1)
    assert now.seconds == pytest.approx(left * 3 * (1 if len(unit.jobs) > 1 else work / (work + START)))
    assert not now.guessed


def test_a_long_job_that_shows_no_progress_does_not_make_the_others_dearer(place):
    """A search of an hour, or a fine-tuning, beside which nothing has ended: it is no measure of what work costs."""
    place.start(1, "shards", place.unit("shards"))
    for job in place.plan.of("shards"):
        place.record(job, seconds=1.0)
    place.tell(LogEvent.JOB_FINISHED, job_id=1)
    before = place.look(passed=1.0 + START)
    assert before.seconds is None
    place.start(2, "evaluate", place.unit("evaluate"))
    first, later = place.look(passed=1.0), place.look(passed=3600.0)
    assert 0 < later.seconds <= first.seconds
    assert later.seconds >= first.seconds - ASSUMED - START
    pretrain = place.unit("pretrain")
    after = place.run.look([pretrain], [], 1.0)  # one worker of a search has ended, and the search has not
    assert 0 < after.seconds <= first.seconds
    failed = place.run.look([pretrain], [place.unit("evaluate")], 1.0)
    assert stage(failed, "evaluate")[3] > 0
    assert failed.seconds < first.seconds


def test_a_training_tells_its_epoch_its_speed_and_through_it_the_time_left(place):
    unit = place.unit("pretrain")
    job = unit.jobs[0]
    place.start(2, "pretrain", unit)
    (folder := job.folder(place.results)).mkdir(parents=True, exist_ok=True)
    path = folder / "history.jsonl"
    path.write_text('{"t":1000,"step":0,"metrics":{}}\n{"t":11000,"step":50,"metrics":{}}\n')
    with History.open(path):
        now = place.look()
    (one,) = now.trainings
    assert one.speed == pytest.approx(50 * 32 / 10)
    assert one.whole == pytest.approx(4 * job.spec.dataset.pretraining_images / 160)
    assert f"{job.key}, epoch {one.epoch:.1f} of 4, 160 images/s" in block(now)
    assert "\n" not in line(now)
    assert f"pretrain 0 of {len(place.plan.of('pretrain'))} done, 1 running" in line(now)


def test_a_failure_to_look_is_told_once_and_ends_the_watch_alone(place, caplog):
    logger = logging.getLogger("a run")
    logger.setLevel(logging.INFO)

    def broken() -> WatchedRun:
        raise OSError("no disk at postgresql://me:secret@host/db")

    watched = RunWatch(logger, place.events, broken, in_lines(logger, "running"), every=0.01)
    watched.start()
    watched.stop()
    assert "progress is not told any more: no disk" in caplog.text
    assert "secret" not in caplog.text


class RichHandler:
    """What is used of the handler of Snakemake's rich logger."""

    def __init__(self, terminal: bool) -> None:
        self.text = io.StringIO()
        console = Console(file=self.text, force_terminal=terminal, width=100)
        self.progress = Progress(console=console)
        self.live_display = Live(self.progress, console=console, auto_refresh=False)


def test_a_terminal_shows_it_below_the_bars_of_the_other_rules_and_a_file_in_lines(place):
    logger, now = logging.getLogger("shown"), place.look()
    handler = RichHandler(terminal=True)
    for rule in ("Total Progress", "report", "pretrain", "[dim]tune best[/]", "[red]✗[/] evaluate [red](failed)[/]"):
        handler.progress.add_task(rule)
    watch(logger, [handler], place.events, lambda: place.run, "submitted")._show(now)
    handler.live_display.refresh()
    with handler.live_display.console.capture() as shown:
        handler.live_display.console.print(handler.live_display.renderable)
    assert "Workflow Progress" in shown.get()
    assert "pretrain  0 of 2 done" in shown.get()
    assert shown.get().count("0%") == 2  # those of rules that our lines count are left out
    assert "Total Progress" in shown.get()
    assert "tune best" not in shown.get()
    assert "(failed)" not in shown.get()
    plain = watch(logger, [RichHandler(terminal=False)], place.events, lambda: place.run, "submitted")
    assert plain._every == 60.0


SNAKEFILE = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from pipelines.spec.plan import plan_file
from pipelines.spec.units import units
from pipelines.watching.events import Events
from pipelines.watching.run import WatchedRun
from pipelines.watching.watch import RunWatch, in_lines

PLAN = plan_file(Path("study.yaml"))
UNITS = {{(unit.stage, unit.name): unit for unit in units(PLAN.jobs.values())}}
NAME = next(name for stage, name in UNITS if stage == "pretrain")
RUN = lambda: WatchedRun(PLAN.jobs.values(), UNITS.values(), Path("."))
WATCH = RunWatch(logger, Events(UNITS), RUN, in_lines(logger, "running"), 0.2)

rule all:
    input: f"{{NAME}}.done"

rule pretrain:
    output: "{{unit}}.done"
    shell: "sleep 1; {then}"

onstart: WATCH.start()
onsuccess: WATCH.stop()
onerror: WATCH.stop()
"""


@pytest.mark.parametrize(("then", "status"), [("touch {output}", 0), ("exit 3", 1)])
def test_snakemake_tells_of_the_run_in_its_log_and_ends_as_without_it(place, then, status):
    (place.results / "Snakefile").write_text(SNAKEFILE.format(root=str(ROOT), then=then))
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    done = subprocess.run(command, cwd=place.results, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    lines = [each for each in done.stderr.splitlines() if each.startswith("progress ")]
    assert any("pretrain 0 of 2 done, 1 running" in each for each in lines), done.stderr
