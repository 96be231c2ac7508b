"""Status and price of a study whose jobs' folders are made by hand."""

import json
from pathlib import Path

import pytest
from report_tools import finish, planned

from pipelines.artifacts import fact_of
from pipelines.cli import main
from pipelines.files import read_json, sealed, write_json
from pipelines.history import History
from pipelines.lease import leased
from pipelines.locks import locked
from pipelines.progress import Stage, StoppedJob, at_work, running, stages, stopped
from pipelines.records import read_record
from pipelines.spec.job import Job
from pipelines.spec.layout import log_file
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.price import ASSUMED, Prices
from pipelines.spec.resources import CORE_GFLOPS, work

STUDY = """
question: How far is it?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {use: moco, queue_size: 64, label: short}
  - {use: moco, queue_size: 64, label: long, training: {epochs: 6}}
training: {epochs: 2, batch_size: 32}
seeds: [0, 1]
floors: false
evaluation: [{use: knn}]
"""


@pytest.fixture
def made(tmp_path: Path) -> tuple[Plan, Path, Path]:
    """The plan, the study's file and the results folder; nothing is done."""
    planned(tmp_path, STUDY)
    return plan_file(tmp_path / "study.yaml"), tmp_path / "study.yaml", tmp_path


def pretraining(plan: Plan, label: str, seed: int) -> Job:
    return next(j for j in plan.of("pretrain") if plan.names[j.place].label == label and j.spec.seed == seed)


def done(made: tuple[Plan, Path, Path], job: Job, seconds: float) -> None:
    """Give the job a record."""
    listed = read_json(made[2] / "study" / "plan.json")["jobs"]
    finish(made[2], next(each for each in listed if each["key"] == job.key), seconds=seconds)


def log(made: tuple[Plan, Path, Path], unit: str, text: str) -> None:
    path = log_file(made[2], "pretrain", unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_price_is_measured_then_scaled_by_work_then_assumed(made):
    plan, _, results = made
    jobs = list(plan.jobs.values())
    short, other, long = (pretraining(plan, *which) for which in (("short", 0), ("short", 1), ("long", 0)))
    prices = Prices.of(jobs, results)
    assert prices.price(short.spec).seconds == work(short.spec) / CORE_GFLOPS
    assert {prices.price(job.spec).source for job in jobs} == {"assumed"}
    assert prices.price(plan.of("evaluate")[0].spec).seconds == ASSUMED
    done(made, short, 10.0)
    prices = Prices.of(jobs, results)
    assert (prices.price(other.spec).seconds, prices.price(other.spec).source) == (10.0, "measured")
    assert prices.price(long.spec).source == "scaled"
    assert prices.price(long.spec).seconds == pytest.approx(10 * 6 / 2)


def test_seconds_of_one_sort_of_evaluation_are_no_price_of_another(tmp_path: Path):
    """A probe on raw pixels that settled late once made 84 quick ones look like hours."""
    text = STUDY.replace("floors: false", "floors: true").replace("[{use: knn}]", "[{use: knn}, {use: linear}]")
    planned(tmp_path, text)
    plan = plan_file(tmp_path / "study.yaml")
    made = plan, tmp_path / "study.yaml", tmp_path

    def of(source: str, protocol: str) -> list[Job]:
        found = plan.of("evaluate")
        return [j for j in found if (j.spec.source.use, j.spec.evaluation.use) == (source, protocol)]

    pixels, trained = of("pixels", "linear"), of("pretrain", "linear")
    for job in pixels:
        done(made, job, 350.0)
    prices = Prices.of(plan.jobs.values(), tmp_path)
    assert prices.price(pixels[0].spec).source == "measured"
    assert {prices.price(job.spec).source for job in (*trained, *of("pretrain", "knn"))} == {"assumed"}
    assert prices.price(trained[0].spec).seconds == ASSUMED
    done(made, trained[0], 2.0)
    prices = Prices.of(plan.jobs.values(), tmp_path)
    assert (prices.price(trained[1].spec).seconds, prices.price(trained[1].spec).source) == (2.0, "measured")
    assert prices.price(of("untrained", "linear")[0].spec).source == "scaled"
    assert prices.price(of("pretrain", "knn")[0].spec).source == "assumed"


def counted(plan: Plan, results: Path) -> dict[str, Stage]:
    jobs = list(plan.jobs.values())
    busy = at_work(jobs, results)
    return {each.name: each for each in stages(jobs, results, Prices.of(jobs, results), busy, ended(plan, results))}


def ended(plan: Plan, results: Path) -> list[StoppedJob]:
    jobs = list(plan.jobs.values())
    return stopped(jobs, results, at_work(jobs, results))


def test_stages_count_what_is_done_and_price_what_is_left(made):
    plan, _, results = made
    done(made, pretraining(plan, "short", 0), 10.0)
    found = counted(plan, results)
    assert (found["pretrain"].done, found["pretrain"].left) == (1, len(plan.of("pretrain")) - 1)
    assert found["pretrain"].seconds == pytest.approx(10 + 2 * 30)
    assert found["evaluate"].seconds == ASSUMED * len(plan.of("evaluate"))


def test_a_training_runs_while_its_history_is_open(made):
    plan, _, results = made
    job = pretraining(plan, "long", 1)
    with History.open(job.folder(results) / "history.jsonl") as open_history:
        open_history.log(0, {"train/loss": 1.0})
        (one,) = running(plan.jobs.values(), results)
        assert (one.key, one.step, one.epochs, one.speed) == (job.key, 1, 6, None)
    assert not running(plan.jobs.values(), results)


def test_speed_is_that_between_the_last_two_readings(made):
    plan, _, results = made
    job = pretraining(plan, "long", 1)
    path = job.folder(results) / "history.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"t": 1000 * second, "step": step, "metrics": {}} for second, step in ((0, 0), (5, 10), (9, 30))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with History.open(path):
        (one,) = running(plan.jobs.values(), results)
    assert one.speed == pytest.approx(20 * 32 / 4)
    assert one.epoch == pytest.approx(31 * 32 / job.spec.dataset.pretraining_images)


def test_the_log_says_which_job_stopped_and_why(made):
    plan, _, results = made
    first, second, third = (pretraining(plan, *which) for which in (("short", 0), ("short", 1), ("long", 0)))
    done(made, first, 1.0)
    unit = f"{first.key}.3-abcd"
    log(
        made,
        unit,
        f"started\nerror: {results}/jobs/pretrain/{second.key}: the loss is nan at postgresql://me:secret@host/db\n",
    )
    log(made, third.key, "")
    (found,) = ended(plan, results)
    assert (found.place, found.failed) == (second.place, True)
    assert found.lines[0].startswith("error: ")
    assert counted(plan, results)["pretrain"].failed == 1
    done(made, second, 1.0)
    assert not ended(plan, results)


def test_of_several_jobs_that_failed_in_one_process_each_is_told_with_its_own_lines(made):
    plan, _, results = made
    first, second = pretraining(plan, "short", 0), pretraining(plan, "short", 1)
    text = f"started\nerror: {first.key}: the loss is nan\nsee its history\nerror: {second.key}: no space\n"
    log(made, f"{first.key}.2-abcd", text)
    one, other = sorted(ended(plan, results), key=lambda job: job.place != first.place)
    assert (one.place, one.lines) == (
        first.place,
        ("started", f"error: {first.key}: the loss is nan", "see its history"),
    )
    assert (other.place, other.lines) == (second.place, (f"error: {second.key}: no space",))


def test_a_job_that_was_asked_to_end_has_stopped_and_not_failed(made):
    plan, _, results = made
    job = pretraining(plan, "short", 0)
    log(made, job.key, f"{job.key}: stopped after step 3 of 10; the same command goes on from there\n")
    (found,) = ended(plan, results)
    assert not found.failed
    assert (counted(plan, results)["pretrain"].failed, counted(plan, results)["pretrain"].left) == (0, 4)


def test_jobs_of_every_stage_run_while_a_process_holds_their_folder(made, capsys):
    plan, file, results = made
    shards, judged = plan.of("shards")[0], plan.of("evaluate")[0]
    for job in (shards, judged):
        job.folder(results).mkdir(parents=True, exist_ok=True)
    with locked(shards.folder(results) / ".lock"), leased(judged.folder(results)):
        assert main(["status", str(file), "--results", str(results)]) == 0
    told = capsys.readouterr().out
    assert "shards    0 of 1 done, 1 running (" in told
    assert f"runs: evaluate {judged.key}\n" in told
    assert "with 2 jobs at once" in told
    assert not at_work(plan.jobs.values(), results)


def test_the_way_out_of_a_damaged_input_is_repair(made, capsys):
    plan, file, results = made
    job = pretraining(plan, "short", 0)
    done(made, job, 1.0)
    record = read_record(job.folder(results))
    weights = job.folder(results) / "encoder.safetensors"
    weights.write_bytes(b"whole")
    facts = {"artifacts": {"encoder": weights.name}, "files": {"encoder": fact_of(weights)}}
    whole = record.model_copy(update=facts).model_dump(mode="json")
    write_json(job.folder(results) / "record.json", sealed(whole))
    line = ["status", str(file), "--results", str(results)]
    assert main(line) == 0
    assert "repair" not in capsys.readouterr().out
    weights.write_bytes(b"cut")
    assert main(line) == 0
    told = capsys.readouterr().out
    assert f"damaged: {weights}" in told
    assert f"python -m pipelines repair {file} --results {results} sets that aside" in told
    assert "same command of Snakemake goes on, and does what stopped again" not in told
    assert main(["repair", str(file), "--results", str(results)]) == 0
    assert not job.done(results)


def test_status_prints_all_of_it(made, capsys):
    plan, file, results = made
    job = pretraining(plan, "short", 0)
    log(made, job.key, "error: no space at postgresql://me:secret@host/db\n")
    assert main(["status", str(file), "--results", str(results)]) == 0
    text = capsys.readouterr().out
    assert f"failed: pretrain {job.key}" in text
    assert "secret" not in text
    assert f"pretrain  0 of {len(plan.of('pretrain'))} done, 3 left, 1 failed (" in text
    assert f"python -m pipelines repair {file}" in text
    for each in plan.jobs.values():
        listed = read_json(results / "study" / "plan.json")["jobs"]
        finish(results, next(one for one in listed if one["key"] == each.key))
    assert main(["status", str(file), "--results", str(results)]) == 0
    assert "everything is done" in capsys.readouterr().out


def test_the_cost_is_that_of_what_is_left(made, capsys):
    plan, file, results = made
    done(made, pretraining(plan, "short", 0), 10.0)
    assert main(["plan", str(file), "--results", str(results), "--cost"]) == 0
    text = capsys.readouterr().out
    assert f"# pretrain: {len(plan.of('pretrain')) - 1} jobs to do: 10.0 s measured, 60.0 s scaled" in text
