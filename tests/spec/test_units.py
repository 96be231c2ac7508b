"""Units: small jobs share a process, large ones do not, and every unit can run when those it needs are done."""

from pathlib import Path

import pytest
from report_tools import finish, planned

from pipelines.files import read_json
from pipelines.spec.job import Job
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.units import ENCODERS, SECONDS, Unit, seconds, units

STUDY = """
question: q
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: {width}}}
methods:
  - {{use: moco, queue_size: 512, label: plain}}
  - {{use: simclr, version: 2}}
seeds: [0, 1, 2]
training: {{batch_size: 64, epochs: {epochs}}}
tuning: {{trials: 2, methods: [plain], space: {{temperature: {{low: 0.1, high: 0.2}}}}}}
evaluation: [{{use: knn}}, {{use: linear}}, {{use: finetune, head_layers: 1}}, {{use: distill, teacher: {{head_layers: 1}}}}]
"""


def made(folder: Path, width: int = 8, epochs: int = 5) -> Plan:
    path = folder / "x.yaml"
    path.write_text(STUDY.format(width=width, epochs=epochs))
    return plan_file(path)


def cut(plan: Plan) -> list[Unit]:
    return units(plan.jobs.values())


@pytest.mark.parametrize(("width", "epochs"), [(8, 5), (64, 500)])
def test_every_job_is_in_one_unit_and_every_unit_comes_after_those_it_needs(tmp_path, width, epochs):
    plan = made(tmp_path, width, epochs)
    found = cut(plan)
    places = [job.place for unit in found for job in unit.jobs]
    assert sorted(places) == sorted(plan.jobs)
    done: set[tuple[str, str]] = set()
    for unit in found:
        assert unit.needs() <= done, unit.name
        done |= {job.place for job in unit.jobs}
    assert len({(unit.stage, unit.name) for unit in found}) == len(found)


def test_small_pretrainings_share_a_process_up_to_the_stated_work(tmp_path):
    packs = [unit for unit in cut(made(tmp_path)) if unit.stage == "pretrain"]
    assert max(len(unit.jobs) for unit in packs) > 1
    assert all(sum(map(seconds, unit.jobs)) <= SECONDS for unit in packs)


def test_large_pretrainings_and_protocols_on_images_run_alone(tmp_path):
    found = cut(made(tmp_path, 64, 500))
    assert all(len(unit.jobs) == 1 for unit in found if unit.stage == "pretrain")
    alone = [unit for unit in cut(made(tmp_path)) if any(key in unit.name for key in ("finetune", "distill"))]
    assert alone
    assert all(len(unit.jobs) == 1 for unit in alone)


def features(job: Job) -> str:
    return job.spec.features_key(job.inputs)


def test_all_frozen_protocols_of_an_encoder_are_in_one_unit(tmp_path):
    homes: dict[str, set[str]] = {}
    for unit in cut(made(tmp_path)):
        for job in unit.jobs:
            if unit.stage == "evaluate" and not job.spec.evaluation.on_images:
                homes.setdefault(features(job), set()).add(unit.name)
                assert len({features(each) for each in unit.jobs}) <= ENCODERS
    assert {len(names) for names in homes.values()} == {1}


def test_an_evaluation_waits_for_no_stranger(tmp_path):
    """A pretraining that fails must not keep encoders from another unit from being measured."""
    found = cut(made(tmp_path))
    home = {job.place: unit.name for unit in found for job in unit.jobs}
    for unit in found:
        if unit.stage == "evaluate":
            assert len({home[place] for place in unit.needs() if place[0] == "pretrain"}) <= 1


LONG = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 64}
methods: [{use: simclr}, {use: simsiam}, {use: byol}]
seeds: [0, 1, 2, 3]
training: {batch_size: 64, epochs: 500}
evaluation: [{use: knn}]
floors: false
"""


def test_evaluations_of_long_pretrainings_wait_for_their_own_alone_and_go_together_once_all_are_done(tmp_path):
    (tmp_path / "x.yaml").write_text(LONG)
    jobs = plan_file(tmp_path / "x.yaml").jobs.values()
    alone = [unit for unit in units(jobs) if unit.stage == "evaluate"]
    assert [len(unit.jobs) for unit in alone] == [1] * 12
    left = units(job for job in jobs if job.stage == "evaluate")
    assert [len(unit.jobs) for unit in left] == [ENCODERS] * 3


def test_a_command_names_every_job(tmp_path):
    unit = next(unit for unit in cut(made(tmp_path)) if len(unit.jobs) > 1)
    words = unit.command(Path("results")).split()
    assert words[:4] == ["python", "-m", "pipelines", unit.stage]
    assert words[5:] == [str(job.folder(Path("results"))) for job in unit.jobs]


def test_a_unit_asks_by_the_images_that_were_packed(tmp_path):
    (tmp_path / "images").mkdir()
    made_folder = planned(
        tmp_path,
        STUDY.format(width=8, epochs=5).replace(
            "use: digits", f"use: imagefolder, name: mine, folder: {tmp_path}/images"
        ),
    )
    plan = plan_file(tmp_path / "study.yaml")
    unit = next(unit for unit in cut(plan) if unit.stage == "evaluate")
    before = unit.resources(1, tmp_path)
    packed = next(job for job in read_json(made_folder)["jobs"] if job["stage"] == "shards")
    finish(tmp_path, packed, metrics={"data/train": 400})
    small = unit.resources(1, tmp_path)
    finish(tmp_path, packed, metrics={"data/train": 1_281_167})
    large = unit.resources(1, tmp_path)
    assert small.minutes < before.minutes < large.minutes
    assert (small.threads, small.minutes) == (1, 60)
