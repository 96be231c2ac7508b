"""What two methods need beyond features: CLIP's text tower in zero-shot evaluation, and MAE's pictures."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from source_tools import encoded

from pipelines.building.methods import Pretrained
from pipelines.building.pictures import to_image
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.sources.reader import open_shards
from pipelines.spec.layout import features_file
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs

STUDY = """
question: q
dataset: {use: digits, image_size: 16, limit: 300}
encoder: {use: vit, size: micro, patch: 4, position: sincos}
methods:
  - {use: clip, dim: 8, text_width: 16, text_layers: 1, text_heads: 2, context: 32}
  - {use: mae, decoder_width: 16, decoder_depth: 1, decoder_heads: 2}
seeds: [0]
keep_features: true
training: {epochs: 2, batch_size: 64, warmup_epochs: 1}
evaluation:
  - {use: zero_shot}
  - {use: zero_shot, templates: ["the digit {}"]}
  - {use: few_shot, ways: 5, shots: [1, 5], draws: 20}
  - {use: few_shot, shots: [2], draws: 2, strengths: [0.01, 1.0]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Plan, Path]:
    """The study above, run stage by stage in this process."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "x.yaml").write_text(STUDY)
    plan, results = plan_file(folder / "x.yaml"), folder / "results"
    write_specs(plan, results)
    for stage in ("shards", "pretrain", "evaluate"):
        for job in plan.of(stage):
            assert main([stage, "--job", str(job.folder(results))]) == 0
    return plan, results


def records(made, use: str, method: str) -> list[dict]:
    plan, results = made
    jobs = [job for job in plan.of("evaluate") if job.spec.evaluation.use == use and job.key.startswith(method)]
    return [json.loads((job.folder(results) / "record.json").read_text()) for job in jobs]


def test_zero_shot_is_planned_for_the_method_that_reads_text_alone(made):
    assert len(records(made, "zero_shot", "clip")) == 2
    assert not records(made, "zero_shot", "mae")
    assert not records(made, "zero_shot", "untrained")
    assert not records(made, "zero_shot", "pixels")
    assert len(records(made, "few_shot", "mae")) == 2
    assert len(records(made, "few_shot", "untrained")) == 2 * 2  # the plain encoder, and MAE's own at step 0


def test_zero_shot_is_what_the_trained_towers_say_of_test(made):
    plan, results = made
    job = next(job for job in plan.of("pretrain") if job.key.startswith("clip")).folder(results)
    data = open_shards(plan.of("shards")[0].folder(results))
    evaluated = next(job for job in plan.of("evaluate") if job.key.startswith("clip"))
    rows = load_file(features_file(results, evaluated.spec.features_key(evaluated.inputs)))
    method = Pretrained.left(job).method(whole=True).eval()
    alone = load_file(job / "encoder.safetensors")
    assert all(torch.equal(value, alone[name]) for name, value in method.encoder.state_dict().items())
    for record in records(made, "zero_shot", "clip"):
        templates = record["spec"]["evaluation"]["templates"]
        with torch.no_grad():
            classes = method.class_embeddings(data.class_names, templates and tuple(templates)).mean(1)
            named = (method.image_embeddings(rows["test"]) @ torch.nn.functional.normalize(classes, dim=1).T).argmax(1)
        expected = (named == rows["test_label"]).double().mean().item()
        assert record["metrics"]["test/top1"] == pytest.approx(expected)
        assert set(record["inputs"]) == {"weights", "shards"}


def test_few_shot_numbers_stand_in_the_record_and_the_strength_beside_them(made):
    episodes, draws = sorted(
        records(made, "few_shot", "mae"), key=lambda record: record["spec"]["evaluation"]["ways"] or 9
    )
    assert set(episodes["metrics"]) == {f"test/{k}_shot{end}" for k in (1, 5) for end in ("", "_sd", "_ci95")}
    assert set(draws["metrics"]) == {"test/2_shot", "test/2_shot_sd", "holdout/2_shot"}
    assert draws["derived"]["chosen/2_shot_strength"] in (0.01, 1.0)


def test_mae_leaves_pictures_of_held_out_images(made):
    plan, results = made
    job = next(job for job in plan.of("pretrain") if job.key.startswith("mae")).folder(results)
    record = json.loads((job / "record.json").read_text())
    assert record["artifacts"]["reconstructions"] == "reconstructions.png"
    picture = np.asarray(Image.open(job / "reconstructions.png"))
    assert picture.shape == (3 * 64, 8 * 64, 3)  # eight images of 16 pixels, fourfold
    top, middle = picture[:64], picture[64:128]
    patches = (top != middle).any(2).reshape(4, 16, 32, 16).any((1, 3))
    assert patches.sum() <= 8 * 12  # at most the masked ones differ; a blank one may not
    assert patches.sum() >= 8 * 6
    assert not (job / "method.safetensors").exists()


def test_a_seed_that_the_report_does_not_show_leaves_no_pictures_and_the_same_weights(made, tmp_path):
    plan, results = made
    (job,) = [job for job in plan.of("pretrain") if job.key.startswith("mae")]
    shutil.copytree(results, tmp_path / "results")
    shown, hidden = job.folder(results), job.folder(tmp_path / "results")
    for path in hidden.iterdir():
        path.unlink()
    spec = json.loads((shown / "spec.json").read_text())
    assert spec["spec"]["pictures"]
    spec["spec"]["pictures"] = False
    (hidden / "spec.json").write_text(json.dumps(spec))
    assert main(["pretrain", "--job", str(hidden)]) == 0
    theirs, mine = (json.loads((folder / "record.json").read_text())["artifacts"] for folder in (shown, hidden))
    assert set(theirs) - set(mine) == {"reconstructions", "views", "views_about"}
    assert (hidden / "encoder.safetensors").read_bytes() == (shown / "encoder.safetensors").read_bytes()


def test_pixels_come_back_from_their_normalised_form():
    pixels = torch.arange(3 * 2 * 600).remainder(256).view(3, 2, 600)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    shift, scale = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
    image = to_image((pixels / 255 - shift) / scale, mean, std)
    assert np.array_equal(np.asarray(image), pixels.permute(1, 2, 0).numpy())
    assert to_image(torch.full((3, 1, 1), 9.0), (0.5,), (0.25,)).size == (512, 512)


def test_zero_shot_without_any_method_that_reads_text_is_refused(tmp_path):
    text = STUDY.replace("  - {use: clip, dim: 8, text_width: 16, text_layers: 1, text_heads: 2, context: 32}\n", "")
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"evaluation\[0\]: zero_shot suits none of the methods.*clip"):
        plan_file(tmp_path / "x.yaml")


def test_retrieval_is_planned_where_there_may_be_captions_and_nowhere_else(tmp_path):
    text = STUDY.replace("  - {use: zero_shot}\n", "  - {use: retrieval}\n")
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"evaluation\[0\]: retrieval needs captions, and no data set.*coco_captions"):
        plan_file(tmp_path / "x.yaml")
    target = f"{{use: coco_captions, folder: {tmp_path}, image_size: 16, role: target}}"
    text = text.replace("dataset: {", "datasets:\n  - {").replace("encoder:", f"  - {target}\nencoder:", 1)
    (tmp_path / "x.yaml").write_text(text)
    planned = {(job.spec.evaluation.use, job.spec.dataset.use) for job in plan_file(tmp_path / "x.yaml").of("evaluate")}
    assert {place for place in planned if "coco_captions" in place} == {("retrieval", "coco_captions")}
    assert ("retrieval", "digits") not in planned
    assert ("few_shot", "digits") in planned


def test_other_templates_rerun_the_evaluation_only(tmp_path):
    keys = []
    for name, text in (("a", STUDY), ("b", STUDY.replace("the digit {}", "a handwritten {}"))):
        (tmp_path / f"{name}.yaml").write_text(text)
        plan = plan_file(tmp_path / f"{name}.yaml")
        keys.append({job.key for job in plan.jobs.values()})
    assert len(keys[0] - keys[1]) == 1
    assert all("zero_shot" in key for key in keys[0] - keys[1])


CAPTIONED = """
question: q
dataset: {{use: webdataset, name: squares, labels: none, train: "{train}", image_size: 8}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: clip, dim: 8, text_width: 32, text_layers: 1, text_heads: 2, context: 32, duplicates: multi_positive}}]
seeds: [0]
training: {{epochs: 12, batch_size: 16, lr_per_256: 5e-3}}
evaluation: [{{use: retrieval, at: [1, 15]}}]
"""


def test_captioned_tars_teach_images_their_captions(tmp_path):
    """Squares of three colours, two wordings each: the tower has to learn the words, no label is read."""
    draw = np.random.default_rng(0)
    words = [("a red square", "something red"), ("a green square", "something green"), ("a blue square", "the sky")]
    with tarfile.open(tmp_path / "train.tar", "w") as archive:
        for number in range(120):
            image = draw.integers(0, 60, (8, 8, 3), dtype=np.uint8)
            image[..., number % 3] += 190
            said = words[number % 3]
            own, both = said[number % 2].encode(), json.dumps({"captions": said}).encode()
            for kind, data in (("png", encoded(image)), ("txt", own), ("json", both)):
                info = tarfile.TarInfo(f"{number:03d}.{kind}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    (tmp_path / "x.yaml").write_text(CAPTIONED.format(train=tmp_path / "train.tar"))
    plan, results = plan_file(tmp_path / "x.yaml"), tmp_path / "results"
    write_specs(plan, results)
    main(["shards", "--job", str(plan.of("shards")[0].folder(results))])
    folder = plan.of("pretrain")[0].folder(results)
    main(["pretrain", "--job", str(folder)])
    method = Pretrained.left(folder).method(whole=True).eval()
    colours = torch.full((3, 3, 8, 8), -0.8) + 2.2 * torch.eye(3)[:, :, None, None]  # about their normalised values
    said = tuple(text for pair in words for text in pair)
    with torch.no_grad():
        texts = method.class_embeddings(said, ("{}",))[:, 0]
        found = (method.image_embeddings(method.encoder(colours)) @ texts.T).argmax(1) // 2
    assert found.tolist() == [0, 1, 2]
    (job,) = plan.of("evaluate")
    assert main(["evaluate", "--job", str(job.folder(results))]) == 0
    record = json.loads((job.folder(results) / "record.json").read_text())
    assert (record["derived"]["candidates/images"], record["derived"]["candidates/captions"]) == (24, 48)
    # each of three colours' captions stands beside those of the others of its colour, some 14, and beside no other's
    assert record["metrics"]["test/image_to_text_recall_1"] == 0
    assert record["metrics"]["test/image_to_text_recall_15"] > 0.9
    assert record["metrics"]["test/text_to_image_recall_15"] == 1
