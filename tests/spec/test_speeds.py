"""Time is asked by what earlier trainings took, on as many GPUs and on the same sort of machine."""

from pathlib import Path

import pytest

from pipelines.machine import GPU_MEMORY
from pipelines.records import now, write_record
from pipelines.spec import speeds
from pipelines.spec.job import Job
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.speeds import Speeds
from pipelines.spec.units import Unit

STUDY = """
question: q
dataset: {{use: imagefolder, name: mine, folder: {folder}, image_size: 224, limit: 100000}}
encoder: {{use: resnet, depth: 50}}
methods: [{{use: moco}}, {{use: simclr}}]
seeds: [0, 1]
training: {{batch_size: 64, epochs: {epochs}}}
evaluation: [{{use: knn}}]
"""
HOUR = 3600.0


def made(folder: Path, epochs: int = 100) -> Plan:
    path = folder / f"x{epochs}.yaml"
    path.write_text(STUDY.format(folder=folder, epochs=epochs))
    return plan_file(path)


def training(plan: Plan, method: str, seed: int) -> Job:
    return next(job for job in plan.of("pretrain") if (job.spec.method.use, job.spec.seed) == (method, seed))


def finish(job: Job, results: Path, seconds: float, **derived: float) -> None:
    folder = job.folder(results)
    folder.mkdir(parents=True)
    facts = {"key": job.key, "stage": job.stage, "spec": job.spec.model_dump(mode="json"), "inputs": job.inputs}
    write_record(folder, **facts, metrics={}, derived=derived, seconds=seconds, started=now())


def minutes(plan: Plan, job: Job, results: Path, gpus: int) -> int:
    return Unit.of([job]).resources(gpus, results, Speeds(plan.jobs.values(), results)).minutes


def test_a_like_training_asks_for_twice_what_was_measured_and_others_by_the_table(tmp_path):
    plan = made(tmp_path)
    first, second, other = training(plan, "moco", 0), training(plan, "moco", 1), training(plan, "simclr", 0)
    table = [minutes(plan, job, tmp_path, 2) for job in (second, other)]
    finish(first, tmp_path, 3 * HOUR, processes=4, **{GPU_MEMORY: 9.0})
    assert table[0] == Unit.of([second]).resources(2, tmp_path).minutes
    assert minutes(plan, second, tmp_path, 4) == 2 * 180
    assert minutes(plan, second, tmp_path, 2) == 2 * 360
    assert minutes(plan, other, tmp_path, 2) == table[1]
    both = Unit.of([second, other]).resources(2, tmp_path, Speeds(plan.jobs.values(), tmp_path))
    assert both.minutes == pytest.approx(sum(table), abs=2), "one that was not measured leaves all to the table"


def test_other_epochs_ask_in_proportion(tmp_path):
    short, long = made(tmp_path), made(tmp_path, epochs=300)
    finish(training(short, "moco", 0), tmp_path, 3 * HOUR, processes=1, **{GPU_MEMORY: 9.0})
    jobs = [*short.jobs.values(), *long.jobs.values()]
    unit = Unit.of([training(long, "moco", 0)])
    assert unit.resources(1, tmp_path, Speeds(jobs, tmp_path)).minutes == 3 * 2 * 180


def test_what_a_cpu_took_says_nothing_of_a_gpu(tmp_path):
    plan = made(tmp_path)
    table = minutes(plan, training(plan, "moco", 1), tmp_path, 1)
    finish(training(plan, "moco", 0), tmp_path, 1000 * HOUR)  # of an earlier program, which did not count processes
    assert minutes(plan, training(plan, "moco", 1), tmp_path, 1) == table
    assert minutes(plan, training(plan, "moco", 1), tmp_path, 0) == 2 * 1000 * 60


def test_what_does_not_train_is_not_measured(tmp_path):
    plan = made(tmp_path)
    speeds = Speeds(plan.jobs.values(), tmp_path)
    assert speeds.minutes([job.spec for job in plan.of("evaluate")], 1) is None
    assert speeds.minutes([], 1) is None


def test_thousands_of_trainings_alike_are_gone_through_once_a_minute_and_the_finished_ones_are_seen(
    tmp_path, monkeypatch
):
    plan, now_is, looks = made(tmp_path), [0.0], []
    jobs = [training(plan, "moco", 0)] * 300
    monkeypatch.setattr(speeds.time, "monotonic", lambda: now_is[0])
    done = Job.done
    monkeypatch.setattr(Job, "done", lambda job, results: looks.append(job) or done(job, results))
    known = Speeds(jobs, tmp_path)
    assert [known.minutes([job.spec], 0) for job in jobs] == [None] * 300
    assert len(looks) == 300
    finish(jobs[0], tmp_path, HOUR)
    assert known.minutes([jobs[0].spec], 0) is None
    now_is[0] = speeds.AGAIN
    assert known.minutes([jobs[0].spec], 0) == pytest.approx(60)
    assert len(looks) == 300 + speeds.MOST
    now_is[0] = 3 * speeds.AGAIN
    assert [known.minutes([job.spec], 0) for job in jobs] == [pytest.approx(60)] * 300
    assert len(looks) == 300 + speeds.MOST
