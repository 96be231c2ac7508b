"""Any protocol can judge trials: on the held-out slice, by its own code, with no test image left to read."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from detection_tools import Devkit
from source_tools import TOY, encoded
from study_tools import Made
from voc_tools import masked_voc, tagged_voc

from pipelines.building.features import embedded, trained_source
from pipelines.building.measuring import measured
from pipelines.building.methods import Pretrained
from pipelines.building.objective import judged
from pipelines.building.pretraining import trainer
from pipelines.building.subject import Subject
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.randomness import numpy_generator
from pipelines.sources.arrays import resident
from pipelines.sources.base import Source, array_split
from pipelines.sources.held_out import HeldOut
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import SEED, build_shards
from pipelines.spec.jobs import EvaluateSpec, Trained, TuneSpec
from pipelines.spec.parse import parse
from pipelines.spec.plan import plan_file
from pipelines.spec.resources import work
from pipelines.spec.tuning import Judged

CPU = torch.device("cpu")
STUDY = """
question: Which temperature?
dataset: {{{dataset}}}
encoder: {{use: resnet, depth: 10, width: 8, stem: large}}
methods: [{{{method}}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{evaluation}]
tuning:
  trials: 2
  finalists: 1
  repeats: 1
  methods: [tuned]
  space: {{temperature: {{low: 0.05, high: 0.5}}}}
  objective: {objective}
"""
SIMCLR = "use: simclr, label: tuned"
CLIP = "use: clip, label: tuned, dim: 8, text_width: 16, text_layers: 1, text_heads: 2, context: 32"
SHORT = "epochs: 1, batch_size: 32"
DETECTOR = "{use: detection, iterations: 1, batch_size: 2, scales: [48], longest: 64, anchors: [16, 24]}"
DATA = {
    "digits": "use: digits, limit: 120, holdout: 0.2",
    "voc": "use: voc, folder: {folder}, image_size: 24, holdout: 0.3",
    "masks": "use: voc_segmentation, folder: {folder}, image_size: 24, holdout: 0.25",
    "boxes": "use: voc_detection, folder: {folder}, image_size: 64, holdout: 0.2",
    "captions": 'use: webdataset, name: squares, labels: none, train: "{folder}/train.tar", image_size: 8, holdout: 0.2',
}
OBJECTIVES = [
    ("digits", SIMCLR, f"{{by: {{use: finetune, {SHORT}}}, number: mean_per_class}}"),
    ("digits", SIMCLR, f"{{by: {{use: linear_augmented, {SHORT}, lrs: [1.0, 10.0]}}}}"),
    ("digits", SIMCLR, "{by: {use: linear, epochs: 1, least_steps: 20, features: [pooled, stage_2]}, number: top5}"),
    ("digits", SIMCLR, "{by: {use: knn, k: [5, 3], head_layers: 1}, number: top1_k3}"),
    ("digits", CLIP, "{by: {use: zero_shot}}"),
    ("captions", CLIP, "{by: {use: retrieval, at: [1, 5]}, number: text_to_image_recall_5}"),
    ("voc", SIMCLR, "{by: {use: multi_label, costs: [0.1]}, number: ap/cat}"),
    ("masks", SIMCLR, "{by: {use: segmentation, strengths: [0.001, 0.01], iterations: 5}, number: pixel_accuracy}"),
    ("boxes", SIMCLR, f"{{by: {DETECTOR}, number: ap50}}"),
]
NAMES = [f"{data}-{objective.split('use: ')[1].split(',')[0].split('}')[0]}" for data, _, objective in OBJECTIVES]
BESIDE = {"captions": "retrieval", "voc": "multi_label", "masks": "segmentation", "boxes": "detection"}


def captioned(folder: Path) -> None:
    """Squares of three colours, each with two captions."""
    draw = np.random.default_rng(0)
    with tarfile.open(folder / "train.tar", "w") as archive:
        for number in range(60):
            image = draw.integers(0, 60, (8, 8, 3), dtype=np.uint8)
            image[..., number % 3] += 190
            own = f"colour {number % 3}"
            both = json.dumps({"captions": [own, f"square {number}"]}).encode()
            for kind, data in (("png", encoded(image)), ("txt", own.encode()), ("json", both)):
                info = tarfile.TarInfo(f"{number:03d}.{kind}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def written(data: str, folder: Path) -> None:
    """The files of a data set."""
    makers = {"captions": captioned, "voc": tagged_voc, "masks": masked_voc, "boxes": lambda at: Devkit(at).small_voc()}
    if make := makers.get(data):
        make(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {data: tmp_path_factory.mktemp(data) for data in DATA}
    for data, folder in found.items():
        written(data, folder)
    return found


def text_of(data: str, method: str, objective: str, folder: Path) -> str:
    dataset, evaluation = DATA[data].format(folder=folder), f"{{use: {BESIDE.get(data, 'knn')}}}"
    return STUDY.format(dataset=dataset, method=method, objective=objective, evaluation=evaluation)


def search_of(data: str, method: str, objective: str, files: dict[str, Path], to: Path) -> TuneSpec:
    (to / "study.yaml").write_text(text_of(data, method, objective, files[data]))
    (job,) = plan_file(to / "study.yaml").of("tune")
    assert isinstance(job.spec, TuneSpec)
    return job.spec


def aim_of(spec: TuneSpec) -> Judged:
    assert isinstance(spec.search.objective, Judged)
    return spec.search.objective


def at_step_0(spec: TuneSpec, shards: ShardSet) -> Pretrained:
    run = spec.trial(0, {})
    return Pretrained.of(trainer(run, shards, None).method, run, shards, "slot 0")


def without_test(shards: ShardSet) -> None:
    """Whoever asks for an image or a label of test now, finds neither tar nor cache."""
    for tar in shards.paths("test"):
        tar.unlink()
    for cache in shards.folder.glob("cache-test*"):
        cache.unlink()
    for note in shards.folder.glob("*/test*"):
        note.unlink()


@pytest.mark.parametrize(("data", "method", "objective"), OBJECTIVES, ids=NAMES)
def test_every_protocol_judges_a_trial_without_test(
    data: str, method: str, objective: str, files: dict[str, Path], tmp_path: Path
) -> None:
    made = Made.of(text_of(data, method, objective, files[data]), tmp_path)
    (job,) = made.plan.of("tune")
    assert isinstance(job.spec, TuneSpec)
    shards = open_shards(made.shards())
    trained = at_step_0(job.spec, shards)
    without_test(shards)
    found = [judged(aim_of(job.spec), trained, tmp_path / str(number)) for number in range(2)]
    assert found[0] == found[1]
    assert 0 <= found[0] <= 1


def repacked(shards: ShardSet, view: HeldOut, to: Path) -> ShardSet:
    """The rows of the view as a data set of its own, packed in an order from which shuffling makes the view's."""
    arrays, splits = resident(shards, "train"), {}
    for split, rows in view.rows.items():
        order = numpy_generator(SEED, "shards", split).permutation(np.arange(len(rows)))
        given = rows[np.argsort(order)]
        splits[split] = array_split(split, arrays.images[given, 0], arrays.labels[given])
    build_shards(Source(shards.class_names, **splits), TOY, to)
    found = open_shards(to)
    found.index = replace(found.index, holdout=view.index.holdout)
    return found


def test_the_slice_counts_as_test_would_had_it_been_packed_as_such(files: dict[str, Path], tmp_path: Path) -> None:
    fine = f"{{by: {{use: finetune, {SHORT}}}}}"
    made = Made.of(text_of("digits", SIMCLR, fine, files["digits"]), tmp_path)
    (job,) = made.plan.of("tune")
    assert isinstance(job.spec, TuneSpec)
    shards = open_shards(made.shards())
    trained, view = at_step_0(job.spec, shards), HeldOut(shards)
    own = repacked(shards, view, tmp_path / "repacked")
    for by in (
        {"use": "finetune", "epochs": 2, "batch_size": 32},
        {"use": "linear_augmented", "epochs": 2, "batch_size": 32, "lrs": [1.0, 10.0]},
    ):
        aim = parse(Judged, {"by": by}, "")
        spec = EvaluateSpec(evaluation=aim.by, source=Trained(), dataset=job.spec.dataset, seed=trained.spec.seed)
        expected = measured(Subject(spec, own, trained, tmp_path / f"{by['use']}-own")).measured
        assert judged(aim, trained, tmp_path / str(by["use"])) == expected.test["top1"]
    features = [embedded(trained_source(trained), each, CPU) for each in (view, own)]
    assert torch.equal(features[0].train, features[1].train)
    assert torch.equal(features[0].test, features[1].test)
    assert torch.equal(features[0].holdout, features[1].holdout)


def test_the_second_slice_is_as_large_as_the_first_and_of_the_rest(files: dict[str, Path], tmp_path: Path) -> None:
    made = Made.of(text_of("digits", SIMCLR, "{by: {use: knn, k: 5}}", files["digits"]), tmp_path)
    shards = open_shards(made.shards())
    view, label = HeldOut(shards), shards.table("train").label
    assert np.array_equal(view.table("test").label, label[shards.holdout])
    assert np.array_equal(view.table("train").label, label[shards.pretraining])
    assert len(view.holdout) == len(shards.holdout) == view.index.count("test")
    assert view.index.count("train") == len(shards.pretraining)
    assert not set(view.ids("train")) & set(view.ids("test"))
    counts = np.bincount(label[shards.pretraining][view.holdout], minlength=10)
    assert np.ptp(counts) <= 1  # stratified


@pytest.mark.parametrize(
    ("data", "method", "objective", "message"),
    [
        ("digits", SIMCLR, "{by: {use: zero_shot}}", r"tuning\.objective: zero_shot does not suit tuned: .*text tower"),
        ("digits", SIMCLR, "{by: {use: knn, head_layers: 9}}", r"tuning\.objective: knn does not suit tuned: .*head"),
        ("digits", SIMCLR, f"{{by: {DETECTOR}}}", r"tuning\.objective: detection needs boxes, and digits-120 has none"),
        ("digits", SIMCLR, "{by: {use: retrieval}}", r"tuning\.objective: retrieval needs captions, and digits-120 has none"),
        ("digits", SIMCLR, "{by: {use: linear, features: [tokens_2]}}", r"tuning\.objective: features: tokens_2 needs a ViT"),
        ("masks", SIMCLR, "{by: {use: linear}}", r"tuning\.objective: linear needs labels .*, and voc_segmentation"),
        ("masks", SIMCLR, "knn", r"tuning: its objective, kNN of the held-out slice, needs labels"),
        ("masks", SIMCLR, "{by: {use: segmentation}, number: iou/cats}", "no class is called that; did you mean 'cat'"),
        ("masks", SIMCLR, "{by: {use: segmentation}}\n  prune_below: 0.2", r"tuning\.prune_below: stops trials by online kNN"),
        ("digits", SIMCLR, "{by: {use: distill, teacher: {use: finetune}}}", "distill learns from the .* take finetune"),
        ("digits", SIMCLR, "{by: {use: knn, leave_one_out: true}}", "leave_one_out asks the images too"),
        ("digits", SIMCLR, "{by: {use: knn, views: 2}}", "knn with views tells beside its numbers what no trial keeps"),
        ("digits", SIMCLR, "{by: {use: linear}, number: top_1}", "linear has no number called top_1; did you mean 'top1'"),
        ("digits", SIMCLR, "{by: {use: few_shot, shots: [1, 5]}, number: top1}", "few_shot has no number called top1"),
    ],
)  # fmt: skip
def test_what_cannot_judge_a_trial_is_refused_by_plan(
    data: str, method: str, objective: str, message: str, files: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        search_of(data, method, objective, files, tmp_path)


def test_the_plan_counts_what_judging_costs(files: dict[str, Path], tmp_path: Path) -> None:
    def gflops(objective: str) -> float:
        return work(search_of("digits", SIMCLR, objective, files, tmp_path))

    def share(more: str) -> float:
        return gflops(f"{{by: {{use: finetune, {SHORT}{more}}}}}") - plain

    plain = gflops("knn")
    once = (gflops("{by: {use: knn}}") - plain) / 4  # two trials, and a repeat of the best and of the default
    assert once > 0
    assert share("") == pytest.approx(4 * 3 * once)
    assert share(", label_share: 0.1") == pytest.approx(0.1 * 4 * 3 * once)
    assert gflops(f"{{by: {{use: linear_augmented, {SHORT}}}}}") - plain == pytest.approx(4 * once)


def test_a_search_by_fine_tuning_runs_and_a_collapsed_trial_is_not_judged(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made.of(text_of("digits", SIMCLR, f"{{by: {{use: finetune, {SHORT}}}}}", files["digits"]), tmp_path)
    (job,) = made.plan.of("tune")
    folder = job.folder(made.results)
    honest = ShardSet.verified_bytes
    monkeypatch.setattr(
        ShardSet, "verified_bytes", lambda shards, tar: {} if "test" in tar.name else honest(shards, tar)
    )
    flags = iter([True])  # of the first trial alone
    monkeypatch.setattr("pipelines.stages.tune.collapse_flags", lambda metrics: next(flags, False))
    asked: list[Any] = []
    monkeypatch.setattr("pipelines.stages.tune.judged", lambda *given: asked.append(given) or judged(*given))
    assert main(["tune", "--job", str(folder)]) == 0
    trials = json.loads((folder / "trials.json").read_text())
    assert (len(asked), len(trials)) == (2, 3), "the default collapsed, so the other trial alone is judged and repeated"
    assert trials[0]["value"] == pytest.approx(0.1)
    assert "slot 0: the features collapsed" in capsys.readouterr().err
    assert not (folder / "trials").exists()
