"""Detection: average precision by hand, difficult things, VOC annotations, and a small devkit from end to end."""

import itertools
import os
import signal

import numpy as np
import pytest
import torch
from detection_tools import Devkit, Thing, annotation
from safetensors.torch import load_file
from study_tools import Made

from pipelines.building.boxes import JobScenes
from pipelines.building.subject import Subject
from pipelines.cli import main
from pipelines.encoders.resnet import ResNet
from pipelines.errors import InputError
from pipelines.evaluation.answers import load_answers
from pipelines.evaluation.average_precision import AveragePrecision
from pipelines.evaluation.detections import FILE, Detections
from pipelines.evaluation.detector import Detector
from pipelines.report.image_parts import image_parts
from pipelines.scene import Scene
from pipelines.signals import Stop
from pipelines.sources.base import open_source
from pipelines.sources.boxes import boxes_of
from pipelines.sources.reader import open_shards
from pipelines.sources.scenes import Scenes, flipped
from pipelines.sources.voc_detection import things
from pipelines.spec.datasets.voc import CLASSES
from pipelines.spec.datasets.voc_detection import Options as VocDetection
from pipelines.spec.evaluation.detection import Options
from pipelines.spec.folder import open_job, ready
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.plan import plan_file

LEFT, RIGHT = (0.0, 0.0, 20.0, 20.0), (50.0, 30.0, 70.0, 50.0)
STUDY = """
question: q
dataset: {{use: voc_detection, folder: {folder}, image_size: 64}}
encoder: {{use: {encoder}}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 3, batch_size: 8}}
evaluation:
{evaluations}
"""
SMALL = "use: detection, batch_size: 4, lr: 0.03, scales: [64], longest: 96, anchors: [16, 24]"
QUICK = 20
"""Iterations after which the loss has fallen and some boxes are found."""
RESNET = "resnet, depth: 10, width: 8, stem: large"


def scene(*boxes, difficult=None):
    label = torch.ones(len(boxes), dtype=torch.int64)
    marked = torch.tensor(difficult or [False] * len(boxes), dtype=torch.bool)
    return Scene(torch.zeros(3, 64, 80, dtype=torch.uint8), torch.tensor(boxes).view(-1, 4), label, marked)


def said(*boxes):
    """Detections of falling score."""
    count = len(boxes)
    label = torch.ones(count, dtype=torch.int64)
    return Detections(torch.tensor(boxes).view(-1, 4), label, torch.linspace(0.9, 0.5, count))


def precision(given, found):
    score = AveragePrecision()
    score.add(given, found)
    return score.values(["cat"])


def test_average_precision_of_cases_that_can_be_counted_by_hand():
    both = scene(LEFT, RIGHT)
    assert precision(both, said(LEFT, RIGHT)) == {"ap": 1, "ap50": 1, "ap75": 1, "ap/cat": 1}
    one_of_two = precision(both, said(LEFT))  # recalls 0, 0.01, ..., 0.5 of 101
    assert one_of_two["ap50"] == pytest.approx(51 / 101)
    overlap = (0.0, 0.0, 20.0, 16.4)  # 0.82 of the box: right at 0.5, 0.55, ..., 0.8
    loose = precision(scene(LEFT), said(overlap))
    assert (loose["ap50"], loose["ap75"]) == (1, 1)
    assert loose["ap"] == pytest.approx(7 / 10)
    wrong_first = precision(scene(LEFT), said((40.0, 40.0, 60.0, 60.0), LEFT))
    assert wrong_first["ap50"] == pytest.approx(0.5)


def test_a_difficult_thing_need_not_be_found_and_finding_it_often_is_no_mistake():
    given = scene(LEFT, RIGHT, difficult=[False, True])
    for found in (said(LEFT), said(RIGHT, LEFT), said(RIGHT, RIGHT, RIGHT, LEFT)):
        assert precision(given, found)["ap50"] == pytest.approx(1)
    inside = (55.0, 35.0, 58.0, 38.0)  # a crowd of COCO's would excuse it
    assert precision(given, said(inside, LEFT))["ap50"] == pytest.approx(0.5)
    assert precision(scene(LEFT), said(LEFT, LEFT))["ap50"] == pytest.approx(
        1
    )  # the second one comes after all are found


def test_nothing_to_be_found_and_nothing_found_are_no_numbers_above_zero():
    assert precision(scene(), said(LEFT))["ap"] == 0
    assert precision(scene(LEFT), said()) == {"ap": 0, "ap50": 0, "ap75": 0, "ap/cat": 0}


def test_the_devkit_is_read_with_its_boxes_marks_and_empty_images(tmp_path):
    Devkit(tmp_path).small_voc()
    source = open_source(VocDetection(folder=str(tmp_path)))
    assert (len(source.train), len(source.test)) == (40, 16)
    assert source.train.read(0).meta == {"boxes": []}
    assert source.train.read(21).meta["boxes"] == [
        {"name": "cat", "box": [3.0, 3.0, 24.0, 24.0], "difficult": False},
        {"name": "bus", "box": [44.0, 29.0, 65.0, 50.0], "difficult": True},
    ]
    assert len(open_source(VocDetection(folder=str(tmp_path), trainval="07")).train) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object>", "is no XML"),
        ("<html/>", "begins with <html>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "declares entities"),
        (annotation([Thing("unicorn", (1, 1, 5, 5))]), "object 1: 'unicorn' is none of the 20 classes"),
        (
            annotation([Thing("cat", (1, 1, 5, 5)), Thing("cat", (9, 1, 5, 5))]),
            r"object 2 \(cat\): bndbox 9, 1, 5, 5 does not",
        ),
        (annotation([Thing("cat", (1, 1, 85, 5))]), "does not lie in the image of 80 x 64"),
        (annotation([Thing("cat", ("nan", 1, 5, 5))]), "bndbox nan, 1, 5, 5"),
        (annotation([Thing("cat", ("x", 1, 5, 5))]), "bndbox needs four numbers, got xmin x"),
        ("<annotation><object><name>cat</name></object></annotation>", "bndbox needs four numbers, got xmin None"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path, text, message):
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"x\.xml: .*{message}"):
        things(path, (80, 64))


def test_frozen_batch_norms_stay_as_they_are_and_the_rest_learns():
    options = Options(neck="fpn", batch_norm="frozen", scales=(32,), anchors=(4, 8, 16, 24, 32))
    encoder = ResNet(10, 8)
    detector = Detector(options, encoder, 2, (0.5,) * 3, (0.25,) * 3).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items() if "bn1" in name}
    given = scene(LEFT)
    losses = detector.model([given.view], [{"boxes": given.boxes, "labels": given.label}])
    sum(losses.values()).backward()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items() if name in before)
    assert encoder.bn1.weight.grad is None
    assert encoder.conv1.weight.grad.abs().sum() > 0


def test_steps_of_a_pyramid_lower_the_loss():
    torch.manual_seed(0)
    options = Options(neck="fpn", scales=(64,), anchors=(8, 16, 24, 32, 48))
    detector = Detector(options, ResNet(10, 8), 2, (0.5,) * 3, (0.25,) * 3).train()
    given = scene(LEFT, RIGHT)
    for left, top, right, bottom in given.boxes.int().tolist():
        given.image[0, top:bottom, left:right] = 255
    target = {"boxes": given.boxes, "labels": given.label}
    optimizer, losses = torch.optim.SGD(detector.parameters(), lr=0.02, momentum=0.9), []
    for _ in range(6):
        loss = sum(detector.model([given.view], [target]).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(map(np.isfinite, losses))
    assert np.mean(losses[-2:]) < 0.8 * losses[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voc")
    Devkit(folder).small_voc()
    evaluations = "\n".join(f"  - {{{SMALL}, iterations: {count}}}" for count in (0, 2, QUICK, 60))
    return Made.of(STUDY.format(folder=folder, encoder=RESNET, evaluations=evaluations), folder)


def detections(made, iterations):
    jobs = made.plan.of("evaluate")
    return next(j for j in jobs if j.spec.source.use == "untrained" and j.spec.evaluation.iterations == iterations)


def scenes_of(folder):
    return JobScenes.of(Subject.of(ready(open_job(folder, EvaluateSpec))), Stop(), print)


def test_steps_go_on_where_they_were_left_and_show_boxes_where_things_are(made):
    scenes = Scenes(open_shards(made.shards()), "train", CLASSES, 0, torch.device("cpu"))
    whole = list(scenes.steps(4, 0, 20))  # two epochs and more
    for one, other in itertools.zip_longest(whole[13:], scenes.steps(4, 13, 20)):
        assert all(
            torch.equal(a.image, b.image) and torch.equal(a.boxes, b.boxes) for a, b in zip(one.scenes, other.scenes)
        )
    for each in (given for batch in whole for given in batch.scenes):
        assert len(each.label) > 0
        for box, label in zip(each.boxes.int().tolist(), each.label.tolist()):
            left, top, right, bottom = box
            red, _, blue = each.image[:, top + 3 : bottom - 3, left + 3 : right - 3].float().mean((1, 2)).tolist()
            assert (red > blue + 50) == (CLASSES[label - 1] == "cat")
    assert torch.equal(flipped(flipped(whole[0].scenes[0])).boxes, whole[0].scenes[0].boxes)
    assert sum(len(each.label) == 0 for each in boxes_of(open_shards(made.shards()), "train", CLASSES)) >= 2


def test_the_same_seed_gives_the_same_detector_and_every_test_image_is_told_of(made):
    job, found = detections(made, 2), []
    for _ in range(2):
        made.run(job)
        found.append((job.folder(made.results) / FILE).read_bytes())
    assert found[0] == found[1]
    with np.load(job.folder(made.results) / FILE) as kept:
        assert len(kept["ids"]) == 16
        assert len(kept["image"]) == len(kept["box"]) == len(kept["label"]) == len(kept["score"])
    said, metrics = load_answers(job.folder(made.results) / "answers.npz"), made.record(job)["metrics"]
    assert (len(said["ids"]), said["things"].shape) == (16, (16, 20))
    for number in ("ap", "ap50", "ap75"):
        assert image_parts("detection", number, said).mean() == pytest.approx(metrics[f"test/{number}"], abs=1e-6)


def test_one_that_is_asked_to_end_saves_tells_it_and_goes_on_to_the_same_detector(made, monkeypatch, capfd):
    job = detections(made, QUICK)
    folder = job.folder(made.results)
    made.run(job)
    whole = (folder / FILE).read_bytes()
    assert f"step 0 of {QUICK}" in capfd.readouterr().out
    (folder / "record.json").unlink()
    honest, begun = Detector.loss, []

    def asked(*given):
        begun.append(given)
        if len(begun) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return honest(*given)

    monkeypatch.setattr(Detector, "loss", asked)
    assert main(["evaluate", "--job", str(folder)]) == 143
    assert len(begun) < QUICK
    assert "the same command goes on from there" in capfd.readouterr().out
    assert main(["evaluate", "--job", str(folder)]) == 0
    assert len(begun) == QUICK
    assert (folder / FILE).read_bytes() == whole


def test_a_detector_begins_with_the_weights_of_the_pretraining_and_finds_more_than_these(made, monkeypatch):
    made.run(*made.plan.of("pretrain"))
    trained = {j.spec.evaluation.iterations: j for j in made.plan.of("evaluate") if "weights" in j.inputs}
    start, job = trained[0], trained[QUICK]
    begun = scenes_of(job.folder(made.results)).encoder.state_dict()
    (pretraining,) = made.plan.of("pretrain")
    left = load_file(pretraining.folder(made.results) / "encoder.safetensors")
    assert begun.keys() == left.keys()
    assert all(torch.equal(value, left[name]) for name, value in begun.items())
    born = scenes_of(detections(made, 2).folder(made.results)).encoder
    assert not torch.equal(begun["conv1.weight"], born.state_dict()["conv1.weight"])
    losses, honest = [], Detector.loss

    def noted(*given):
        found = honest(*given)
        losses.append(found.loss.item())
        return found

    monkeypatch.setattr(Detector, "loss", noted)
    made.run(start, job)
    assert len(losses) == QUICK
    assert np.mean(losses[-3:]) < 0.8 * losses[0]
    assert made.record(job)["inputs"]["weights"] == pretraining.key
    before, after = (made.record(each)["metrics"]["test/ap50"] for each in (start, job))
    assert before < 0.05  # measured: 0.005
    assert after > 0.1  # measured: 0.197


@pytest.mark.slow
def test_a_detector_learns_to_find_coloured_blocks(made):
    before, after = detections(made, 0), detections(made, 60)
    made.run(before, after)
    low, high = made.record(before)["metrics"], made.record(after)["metrics"]
    assert high["test/ap50"] > low["test/ap50"] + 0.15
    assert {"test/ap", "test/ap75", "test/ap/cat", "test/ap/bus"} <= set(high)
    assert not (after.folder(made.results) / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (
            "vit, size: micro, patch: 8, position: sincos",
            "use: detection",
            "simclr: detection takes the four stages",
        ),
        ("resnet, norm: group", "use: detection, batch_norm: frozen", "the ResNet has norm: group"),
        (RESNET, "use: detection, neck: fpn, anchors: [32]", "a pyramid has 5 levels"),
    ],
)
def test_what_cannot_work_is_refused_by_plan(tmp_path, encoder, options, message):
    Devkit(tmp_path).small_voc()
    file = tmp_path / "x.yaml"
    file.write_text(STUDY.format(folder=tmp_path, encoder=encoder, evaluations=f"  - {{{options}}}"))
    with pytest.raises(InputError, match=message):
        plan_file(file)
