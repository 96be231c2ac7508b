"""Time and memory are asked by what earlier jobs took, on as many GPUs and on the same sort of machine."""

from pathlib import Path

import pytest

from pipelines.machine import GPU_MEMORY, HOST_MEMORY
from pipelines.records import FEATURE_SECONDS, TRAINING_SECONDS, now, write_record
from pipelines.spec import speeds
from pipelines.spec.job import Job
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.resources import LEAST_MB, LEAST_MINUTES, NOTHING_KNOWN, Earlier, Resources
from pipelines.spec.speeds import Speeds
from pipelines.spec.units import Unit

STUDY = """
question: q
dataset: {{use: imagefolder, name: mine, folder: {folder}, image_size: 224, limit: 100000}}
encoder: {{use: resnet, depth: 50}}
methods: [{{use: moco}}, {{use: simclr}}]
seeds: [0, 1]
training: {{batch_size: 64, epochs: {epochs}}}
evaluation: [{{use: knn}}, {{use: linear}}, {{use: finetune}}]
floors: false
"""
TUNING = "tuning: {{trials: {trials}, methods: [moco_v2], space: {{temperature: {{low: 0.1, high: 0.2}}}}}}\n"
HOUR = 3600.0


def made(folder: Path, epochs: int = 100, tuning: str = "", change: tuple[str, str] = ("", "")) -> Plan:
    path = folder / "x.yaml"
    old, new = change
    path.write_text(STUDY.format(folder=folder, epochs=epochs).replace(old, new, 1) + tuning)
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


def test_packing_and_what_has_no_record_are_not_measured(tmp_path):
    plan = made(tmp_path)
    (shards,) = plan.of("shards")
    finish(shards, tmp_path, HOUR, **{HOST_MEMORY: 700.0})
    speeds = Speeds(plan.jobs.values(), tmp_path)
    for specs in ([job.spec for job in plan.of("evaluate")], [shards.spec], []):
        assert speeds.earlier(specs, 0) == speeds.earlier(specs, 1) == NOTHING_KNOWN


def asked(plan: Plan, job: Job, results: Path, gpus: int) -> Resources:
    return Unit.of([job]).resources(gpus, results, Speeds(plan.jobs.values(), results))


def evaluations(plan: Plan, method: str, use: str) -> list[Job]:
    """Of the two seeds of a method, by one protocol."""
    keys = {training(plan, method, seed).key for seed in (0, 1)}
    found = [job for job in plan.of("evaluate") if job.inputs.get("weights") in keys and job.spec.evaluation.use == use]
    assert len(found) == 2
    return found


def test_an_evaluation_asks_for_twice_what_the_same_protocol_took_with_its_features(tmp_path):
    plan = made(tmp_path)
    (first, second), (_, linear) = evaluations(plan, "moco", "knn"), evaluations(plan, "moco", "linear")
    on_gpu = {HOST_MEMORY: 3000.0, GPU_MEMORY: 9.0}
    table = asked(plan, linear, tmp_path, 1)
    finish(first, tmp_path, HOUR, **on_gpu, **{FEATURE_SECONDS: HOUR / 2})
    assert asked(plan, second, tmp_path, 1).minutes == 2 * 90
    assert asked(plan, evaluations(plan, "simclr", "knn")[0], tmp_path, 1).minutes == 2 * 90, "the encoder is the same"
    assert asked(plan, second, tmp_path, 0) == Unit.of([second]).resources(0, tmp_path), "a CPU was not measured"
    assert asked(plan, linear, tmp_path, 1) == table, "another protocol says nothing"


def test_an_evaluation_on_another_encoder_says_nothing(tmp_path):
    plan = made(tmp_path)
    first, second = evaluations(plan, "moco", "knn")
    finish(first, tmp_path, 9 * HOUR, **{HOST_MEMORY: 3000.0, GPU_MEMORY: 9.0})
    larger = second.spec.model_copy(update={"forward_gflops": 4 * second.spec.forward_gflops})
    assert Speeds(plan.jobs.values(), tmp_path).earlier([larger], 1) == NOTHING_KNOWN


def test_an_evaluation_that_trains_tells_of_all_its_attempts_and_of_its_processes(tmp_path):
    plan = made(tmp_path)
    first, second = evaluations(plan, "moco", "finetune")
    told = {"processes": 2, TRAINING_SECONDS: 5 * HOUR, HOST_MEMORY: 3000.0, GPU_MEMORY: 9.0}
    finish(first, tmp_path, HOUR, **told)  # of the last attempt
    assert asked(plan, second, tmp_path, 2).minutes == 2 * 5 * 60
    assert asked(plan, second, tmp_path, 4).minutes == 2 * 5 * 30


def test_a_record_that_names_no_machine_says_nothing_of_an_evaluation(tmp_path):
    plan = made(tmp_path)
    first, second = evaluations(plan, "moco", "knn")
    finish(first, tmp_path, 9 * HOUR)
    assert Speeds(plan.jobs.values(), tmp_path).minutes([second.spec], 0) is None


def test_a_search_asks_by_another_search_and_by_its_trials(tmp_path):
    few, many = made(tmp_path, tuning=TUNING.format(trials=4)), made(tmp_path, tuning=TUNING.format(trials=8))
    (first,), (second,) = few.of("tune"), many.of("tune")
    finish(first, tmp_path, 6 * HOUR, **{HOST_MEMORY: 3000.0, GPU_MEMORY: 9.0})
    speeds = Speeds([first, second], tmp_path)
    assert Unit.of([first]).resources(1, tmp_path, speeds).minutes == 2 * 6 * 60
    share = second.spec.search.trainings / first.spec.search.trainings
    assert Unit.of([second]).resources(1, tmp_path, speeds).minutes == pytest.approx(2 * 6 * 60 * share, abs=1)
    assert speeds.memory([first.spec], 1) == 3000.0
    assert speeds.memory([second.spec], 1) is None, "another search may try a larger batch"


def test_memory_is_asked_by_the_largest_peak_of_like_jobs_with_a_margin(tmp_path):
    plan = made(tmp_path)
    jobs = [training(plan, "moco", seed) for seed in (0, 1)]
    finish(jobs[0], tmp_path, 3 * HOUR, processes=1, **{HOST_MEMORY: 20_000.0, GPU_MEMORY: 9.0})
    one, two = (asked(plan, jobs[1], tmp_path, gpus) for gpus in (1, 2))
    assert one.threads == 8
    assert one.mem_mb == pytest.approx(1.5 * 20_000 * 1.048576 + 7 * 1_000, abs=1)
    assert two.mem_mb == pytest.approx(2 * one.mem_mb, abs=2)
    finish(jobs[1], tmp_path, 3 * HOUR, processes=1, **{HOST_MEMORY: 30_000.0, GPU_MEMORY: 9.0})
    assert asked(plan, jobs[0], tmp_path, 1).mem_mb == pytest.approx(1.5 * 30_000 * 1.048576 + 7 * 1_000, abs=1)


def test_memory_never_falls_below_the_floor(tmp_path):
    plan = made(tmp_path)
    first, second = evaluations(plan, "moco", "knn")
    finish(first, tmp_path, 20.0, **{HOST_MEMORY: 10.0})
    found = asked(plan, second, tmp_path, 0)
    assert (found.mem_mb, found.minutes) == (LEAST_MB, LEAST_MINUTES)
    assert found.mem_mb < Unit.of([second]).resources(0, tmp_path).mem_mb, "what was measured comes before the table"


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [
        ("epochs: 100", "epochs: 300", True),
        ("batch_size: 64", "batch_size: 128", False),
        ("limit: 100000", "limit: 200000", False),
        ("training: {", "views: {scale: [0.5, 1.0]}\ntraining: {", False),
    ],
)
def test_memory_is_that_of_the_same_images_views_and_batches_whatever_the_epochs(tmp_path, old, new, known):
    measured, other = made(tmp_path), made(tmp_path, change=(old, new))
    finish(training(measured, "moco", 0), tmp_path, HOUR, **{HOST_MEMORY: 5000.0, GPU_MEMORY: 9.0})
    speeds = Speeds([*measured.jobs.values(), *other.jobs.values()], tmp_path)
    found = speeds.memory([training(other, "moco", 1).spec], 1)
    assert found == (5000.0 if known else None)


def test_jobs_of_one_process_ask_for_the_largest_and_one_unknown_leaves_all_to_the_table(tmp_path):
    plan = made(tmp_path)
    knn, linear = evaluations(plan, "moco", "knn"), evaluations(plan, "moco", "linear")
    finish(knn[0], tmp_path, HOUR, **{HOST_MEMORY: 9000.0, GPU_MEMORY: 9.0})
    both = [knn[1].spec, linear[1].spec]
    assert Speeds(plan.jobs.values(), tmp_path).memory(both, 1) is None
    finish(linear[0], tmp_path, HOUR, **{HOST_MEMORY: 7000.0, GPU_MEMORY: 9.0})
    speeds = Speeds(plan.jobs.values(), tmp_path)
    assert speeds.earlier(both, 1) == Earlier(minutes=120.0, mib=9000.0)


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
