"""Weights that others made, from the study to the table: a torchvision ResNet beside a method of ours."""

import csv
import shutil

import pytest
import torch
from safetensors.torch import load_file
from study_tools import Made
from torchvision.models import resnet18

from pipelines.building.methods import begun, fresh_method
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.methods.base import DataFacts
from pipelines.spec.encoders.checkpoint import Options
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.methods.byol import Options as BYOL
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs

STUDY = """
question: q
dataset: {{use: digits, limit: 200}}
encoder: {{use: resnet, depth: 18, stem: large}}
encoders:
  theirs: {{use: checkpoint, path: {path}, format: torchvision, architecture: {{use: resnet, depth: 18}}, image_size: 32}}
methods:
  - {{use: moco, queue_size: 64, label: moco}}
  - {{use: moco, queue_size: 64, label: further, start: {{path: {path}, format: torchvision}}}}
seeds: [0]
training: {{batch_size: 64, epochs: 1, precision: float32}}
evaluation: [{{use: knn, k: 3}}, {{use: linear, least_steps: 20, epochs: 1}}, {{use: finetune, epochs: 1}}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("foreign")
    torch.manual_seed(0)
    model = resnet18()
    torch.save(model.state_dict(), folder / "r18.pth")
    made = Made.of(STUDY.format(path=folder / "r18.pth"), folder)
    made.run(*made.plan.of("pretrain"))
    made.run(*(made.one("evaluate", "theirs", use=use) for use in ("knn", "linear", "finetune")))
    made.run(*(made.one("evaluate", label, use="knn") for label in ("moco", "further")))
    return made


def test_every_protocol_measures_them_and_the_record_names_the_file(made):
    for use in ("knn", "linear", "finetune"):
        record = made.record(made.one("evaluate", "theirs", use=use))
        told = record["spec"]["source"]["encoder"]
        assert told["sha256"] == sha256_file(made.results.parent / "r18.pth")
        assert told["mean"] == [0.485, 0.456, 0.406]
        assert 0 <= record["metrics"]["test/top1"] <= 1
        assert use == "finetune" or 1 < record["derived"]["features/rank_me"] < 512


def test_they_are_a_row_of_the_table_beside_ours_and_no_floor(made):
    plan, results = made.results / "study" / "plan.json", made.results
    assert main(["report", "--plan", str(plan), "--results", str(results), "--out", str(made.results / "study")]) == 0
    with (made.results / "study" / "tables" / "results.csv").open() as file:
        sources = {row["label"]: row["source"] for row in csv.DictReader(file)}
    assert sources["theirs"] == "checkpoint"
    assert sources["moco"] == "pretrain"


def test_training_goes_on_from_them_and_says_so(made):
    further, moco = made.one("pretrain", "further"), made.one("pretrain", "moco")
    assert made.record(further)["spec"]["start"]["sha256"]
    first = load_file(further.folder(made.results) / "encoder.safetensors")["layer4.1.conv2.weight"]
    fresh = load_file(moco.folder(made.results) / "encoder.safetensors")["layer4.1.conv2.weight"]
    file = torch.load(made.results.parent / "r18.pth", weights_only=True)["layer4.1.conv2.weight"]
    assert (first - file).norm() < 0.2 * (fresh - file).norm()  # two steps away from where it began


def test_the_same_file_elsewhere_is_the_same_job_and_another_file_is_not(made, tmp_path):
    moved, other = tmp_path / "moved.pth", tmp_path / "other.pth"
    moved.write_bytes((made.results.parent / "r18.pth").read_bytes())
    torch.save(resnet18().state_dict(), other)
    keys = []
    for path in (made.results.parent / "r18.pth", moved, other):
        (tmp_path / "study.yaml").write_text(STUDY.format(path=path))
        keys.append({job.key for job in plan_file(tmp_path / "study.yaml").of("evaluate") if job.key.startswith("th")})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]


def test_a_file_that_was_swapped_after_planning_is_refused_and_nothing_is_damaged(made, tmp_path, capsys):
    file = tmp_path / "r18.pth"
    torch.save(resnet18().state_dict(), file)
    (tmp_path / "study.yaml").write_text(STUDY.format(path=file))
    plan = plan_file(tmp_path / "study.yaml")
    write_specs(plan, tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "jobs" / "shards")
    (tmp_path / "results" / "jobs" / "shards").symlink_to(made.results / "jobs" / "shards")
    torch.save(resnet18().state_dict(), file)
    job = next(job for job in plan.of("evaluate") if job.key.startswith("theirs"))
    assert main(["evaluate", "--job", str(job.folder(tmp_path / "results"))]) == 1
    assert "when planned it was" in capsys.readouterr().err
    left = {path.name for path in job.folder(tmp_path / "results").iterdir()}
    assert left - {"attempts.txt"} == {"spec.json"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("start: {path: ", "start: {path: no/such/"), r"further: start.path: there is no file no/such"),
        (
            ("theirs: {use: checkpoint, path: ", "theirs: {use: checkpoint, path: no/such/"),
            "checkpoint theirs: path: there",
        ),
        (("theirs:", "moco:"), "two are called moco"),
        (("format: torchvision, arch", "format: torchvison, arch"), "torchvison"),
    ],
)
def test_a_mistake_is_found_at_planning(change, said, made, tmp_path):
    text = STUDY.format(path=made.results.parent / "r18.pth")
    assert change[0] in text
    (tmp_path / "study.yaml").write_text(text.replace(*change))
    with pytest.raises(InputError, match=said):
        plan_file(tmp_path / "study.yaml")


def test_a_checkpoint_as_a_methods_encoder_is_its_start(made, tmp_path):
    """And gives the same job as its architecture with that start: with the published stem, whatever the images' size."""
    keys = []
    file = made.results.parent / "r18.pth"
    for entry in (
        f"encoder: {{use: checkpoint, path: {file}, format: torchvision, architecture: {{use: resnet, depth: 18}}}}",
        f"encoder: {{use: resnet, depth: 18, stem: large}}, start: {{path: {file}, format: torchvision}}",
    ):
        (tmp_path / "study.yaml").write_text(
            STUDY.format(path=file).replace("64, label: moco}", f"128, label: moco, {entry}}}")
        )
        plan = plan_file(tmp_path / "study.yaml")
        keys.append([job.key for job in plan.of("pretrain")])
    assert keys[0] == keys[1]


def test_every_copy_of_the_encoder_begins_with_the_file(made):
    options = Options(path=str(made.results.parent / "r18.pth"), format="torchvision", architecture=ResNet(depth=18))
    facts = DataFacts(num_samples=64, num_classes=10, image_size=8)
    method = begun(fresh_method(BYOL(), ResNet(depth=18, stem="large"), facts, 0), options.known().start)
    file = torch.load(made.results.parent / "r18.pth", weights_only=True)
    found = [value for name, value in method.state_dict().items() if name.endswith("layer4.1.conv2.weight")]
    assert len(found) == 2
    assert all(torch.equal(value, file["layer4.1.conv2.weight"]) for value in found)


def test_weights_of_another_architecture_are_refused_by_plan_and_where_it_cannot_tell_before_training(
    made, tmp_path, capsys
):
    file = tmp_path / "r18.pth"
    text = STUDY.format(path=file)
    deeper = text.replace("label: further,", "label: further, encoder: {use: resnet, depth: 34},")
    (tmp_path / "study.yaml").write_text(deeper)
    torch.save(resnet18().state_dict(), file)
    with pytest.raises(InputError, match=r"further: .*r18.pth: the weights are of another network than resnet34"):
        plan_file(tmp_path / "study.yaml")
    torch.save(
        resnet18().state_dict(), file, _use_new_zipfile_serialization=False
    )  # its names are not seen without torch
    plan = plan_file(tmp_path / "study.yaml")
    write_specs(plan, tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "jobs" / "shards")
    (tmp_path / "results" / "jobs" / "shards").symlink_to(made.results / "jobs" / "shards")
    job = next(job for job in plan.of("pretrain") if plan.names[job.place].label == "further")
    assert main(["pretrain", "--job", str(job.folder(tmp_path / "results"))]) == 1
    assert "another architecture; missing: layer1.2.conv1.weight" in capsys.readouterr().err
    left = {path.name for path in job.folder(tmp_path / "results").iterdir()}
    assert left - {"attempts.txt"} == {"spec.json"}


def test_a_study_of_weights_alone_needs_no_method(tmp_path):
    torch.save(resnet18().state_dict(), tmp_path / "r18.pth")
    text = STUDY.format(path=tmp_path / "r18.pth")
    start, end = text.index("methods:"), text.index("seeds:")
    (tmp_path / "study.yaml").write_text(text[:start] + text[end:])
    plan = plan_file(tmp_path / "study.yaml")
    assert not plan.of("pretrain")
    assert {name.label for name in plan.names.values()} == {"digits-200", "theirs", "raw pixels"}
