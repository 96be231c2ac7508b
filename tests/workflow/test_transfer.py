"""Several data sets: an encoder is measured where it was pretrained and on targets of another size, colour and classes."""

import numpy as np
import pytest
from PIL import Image
from study_tools import Made

from pipelines.building.features import source_of
from pipelines.building.methods import Pretrained
from pipelines.cli import main
from pipelines.evaluation.predictions import Predictions
from pipelines.sources.reader import open_shards

STUDY = """
question: q
datasets:
  - {{use: digits, limit: 200}}
  - {{use: imagefolder, name: shapes, folder: {folder}, image_size: 12, role: target}}
encoder: {{use: vit, size: micro, patch: 4}}
methods: [{{use: moco, queue_size: 64, label: moco}}]
seeds: [0]
training: {{batch_size: 64, epochs: 1, precision: float32}}
evaluation: [{{use: knn, k: 3}}, {{use: linear, least_steps: 20, epochs: 1}}, {{use: finetune, epochs: 1}}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """Pretrained on grey digits of 8 pixels; the target has coloured images of 12 pixels in two classes."""
    folder = tmp_path_factory.mktemp("transfer")
    draw = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 10)):
        for number, name in enumerate(("red", "blue")):
            place = folder / "shapes" / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 100, (12, 12, 3), dtype=np.uint8)
                pixels[..., 2 * number] += 150
                Image.fromarray(pixels).save(place / f"{i}.png")
    made = Made.of(STUDY.format(folder=folder / "shapes"), folder)
    made.run(*made.plan.of("pretrain"))
    return made


def on(made: Made, data: str, use: str):
    return next(
        job
        for job in made.plan.of("evaluate")
        if "weights" in job.inputs and job.spec.dataset.short_name == data and job.spec.evaluation.use == use
    )


def test_a_target_takes_the_form_that_the_encoder_was_pretrained_on(made):
    job = on(made, "shapes", "knn")
    weights = made.plan.of("pretrain")[0].folder(made.results)
    home, away = (open_shards(each.folder(made.results)) for each in made.plan.of("shards"))
    wanted = source_of(job.spec, away, Pretrained.left(weights)).wanted
    assert wanted.image_size == home.index.image_size != away.index.image_size
    assert wanted.mean == tuple(home.index.mean)


def test_frozen_protocols_and_fine_tuning_run_on_the_target(made):
    jobs = [on(made, "shapes", use) for use in ("knn", "linear", "finetune")]
    assert main(["evaluate", "--job", *(str(job.folder(made.results)) for job in jobs)]) == 0
    for job in jobs:
        record = made.record(job)
        assert record["spec"]["dataset"]["name"] == "shapes"
        assert 0 <= record["metrics"]["test/top1"] <= 1
        kept = Predictions.load(job.folder(made.results) / "predictions.npz", 20)
        assert kept.correct.mean() == pytest.approx(record["metrics"]["test/top1"])
        assert kept.score is not None
        assert kept.score.min() >= 0.5  # of two classes


def test_floors_stand_beside_every_data_set(made):
    sources = {(job.spec.dataset.short_name, job.spec.source.use) for job in made.plan.of("evaluate")}
    assert {
        ("digits-200", "pixels"),
        ("shapes", "pixels"),
        ("digits-200", "untrained"),
        ("shapes", "untrained"),
    } < sources


def test_one_protocol_that_fails_leaves_the_others_records(made, capsys):
    good, bad = on(made, "digits-200", "linear"), on(made, "digits-200", "knn")
    spec = bad.folder(made.results) / "spec.json"
    text = spec.read_text()
    try:
        spec.write_text(text.replace('"k": 3', '"k": 100000'))
        folders = [str(job.folder(made.results)) for job in (bad, good)]
        assert main(["evaluate", "--job", *folders]) == 1
    finally:
        spec.write_text(text)
    assert "knn" in capsys.readouterr().err
    assert not (bad.folder(made.results) / "record.json").exists()
    assert made.record(good)["metrics"]
    assert main(["evaluate", "--job", *folders]) == 0  # what is there stays; the other runs alone
    assert "done already" in capsys.readouterr().out


def test_protocols_in_one_process_say_what_they_say_alone(made):
    jobs = [on(made, "shapes", use) for use in ("knn", "linear")]
    together = {}
    for job in jobs:
        (job.folder(made.results) / "record.json").unlink(missing_ok=True)
    assert main(["evaluate", "--job", *(str(job.folder(made.results)) for job in jobs)]) == 0
    together = {job.key: made.record(job)["metrics"] for job in jobs}
    for job in reversed(jobs):
        made.run(job)
        assert made.record(job)["metrics"] == together[job.key]
