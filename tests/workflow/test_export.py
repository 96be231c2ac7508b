"""An exported encoder, loaded by timm, by torchvision and by this project: the same features in all."""

import json
import re
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from study_tools import Made

from pipelines.building import onnx_file
from pipelines.building.features import source_of
from pipelines.building.methods import Pretrained
from pipelines.cli import main
from pipelines.encoders import build_encoder
from pipelines.errors import EnvironmentFault
from pipelines.spec.encoders.checkpoint import Options
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.jobs import EvaluateSpec, Foreign
from pipelines.spec.writing import write_spec

STUDY = """
question: q
dataset: {use: digits, limit: 200, image_size: 16}
encoder: {use: resnet, depth: 18, stem: small}
methods:
  - {use: simclr, label: small}
  - {use: simclr, label: large, encoder: {use: resnet, depth: 18, stem: large}}
  - {use: moco_v3, head: vit, label: vit, encoder: {use: vit, size: micro, patch: 4}}
  - {use: simclr, label: mean, encoder: {use: vit, size: micro, patch: 4, pool: mean}}
  - {use: simclr, label: narrow, encoder: {use: resnet, depth: 10, width: 8}}
  - {use: cpc, label: own}
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return Made.of(STUDY, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def folder_of(made, tmp_path_factory):
    """The folder of a pretraining, done once."""
    done: dict[str, Path] = {}

    def find(label: str) -> Path:
        if label not in done:
            job = made.one("pretrain", label)
            made.run(job)
            done[label] = job.folder(made.results)
        return done[label]

    return find


def images() -> torch.Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def export(folder: Path, to: Path, *more: str) -> dict[str, str]:
    """Library -> the code that the card shows for it."""
    assert main(["export", str(folder), "--to", str(to), *more]) == 0
    blocks = re.findall(r"With (\w+):\n\n```python\n(.*?)```", (to / "README.md").read_text(), flags=re.DOTALL)
    return dict(blocks)


def expected(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return Pretrained.left(folder).method().encoder.eval()(images())


@pytest.mark.parametrize(
    ("label", "names", "libraries"),
    [
        ("small", "timm", {"timm", "torchvision"}),
        ("large", "timm", {"timm", "torchvision"}),
        ("vit", "timm", {"timm"}),
        ("vit", "torchvision", {"torchvision"}),
        ("mean", "timm", {"timm"}),
    ],
)
def test_the_lines_of_the_card_load_the_same_encoder(label, names, libraries, folder_of, tmp_path, monkeypatch):
    code = export(folder_of(label), tmp_path / "out", "--names", names)
    assert set(code) == libraries
    monkeypatch.chdir(tmp_path / "out")
    for library, lines in code.items():
        found: dict = {}
        exec(lines, found)
        with torch.no_grad():
            assert torch.allclose(found["model"](images()), expected(folder_of(label)), atol=1e-5), library


@pytest.mark.parametrize("page", ["README.md", "docs/weights.md"])
def test_the_two_lines_of_the_readme_load_a_resnet(page, folder_of, tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / page).read_text()
    lines = next(block for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if "load_file" in block)
    export(folder_of("large"), tmp_path / "exported")
    monkeypatch.chdir(tmp_path)
    found: dict = {"timm": timm, "load_file": load_file}
    exec(lines, found)
    with torch.no_grad():
        assert torch.allclose(found["model"].eval()(images()), expected(folder_of("large")), atol=1e-5)


@pytest.mark.parametrize("label", ["small", "vit", "narrow"])
@pytest.mark.parametrize("names", ["timm", "torchvision"])
def test_this_project_reads_its_exports_without_being_told_what_they_are(label, names, folder_of, tmp_path):
    export(folder_of(label), tmp_path / "out", "--names", names)
    options = Options(path=str(tmp_path / "out")).known()
    with torch.no_grad():
        assert torch.equal(build_encoder(options, 224).eval()(images()), expected(folder_of(label)))


def test_an_export_takes_images_in_the_form_of_its_pretraining(made, folder_of, tmp_path):
    export(folder_of("small"), tmp_path / "out")
    job = made.one("evaluate", "small", use="knn")
    own = source_of(job.spec, None, Pretrained.left(folder_of("small"))).wanted
    foreign = EvaluateSpec(
        evaluation=job.spec.evaluation,
        source=Foreign(encoder=Options(path=str(tmp_path / "out")).known()),
        dataset=job.spec.dataset,
        seed=0,
    )
    theirs = source_of(foreign, None, None).wanted
    assert (theirs.image_size, theirs.mean, theirs.std) == (own.image_size, own.mean, own.std)


def test_the_card_and_the_config_carry_what_was_measured(made, folder_of, tmp_path):
    folder = folder_of("small")
    job = made.one("evaluate", "small", use="knn")
    made.run(job)
    export(folder, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["numbers"]["knn on digits: top1"] == made.record(job)["metrics"]["test/top1"]
    assert config["commit"] == made.record(made.one("pretrain", "small"))["commit"]
    assert config["method"]["use"] == "simclr"
    assert config["sha256"] in (tmp_path / "out" / "README.md").read_text()


def test_an_encoder_of_a_methods_own_making_is_refused(folder_of, tmp_path, capsys):
    assert main(["export", str(folder_of("own")), "--to", str(tmp_path / "out")]) == 1
    assert "cpc builds an encoder of its own" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_pretraining_that_is_not_finished_is_refused(made, tmp_path, capsys):
    planned = made.one("pretrain", "small")
    write_spec(planned, tmp_path / "results")
    job = planned.folder(tmp_path / "results")
    assert main(["export", str(job), "--to", str(tmp_path / "out")]) == 1
    assert "python -m pipelines" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("label", ["small", "vit", "mean", "narrow"])
def test_onnx_runtime_gets_the_same_features_from_any_number_of_images(label, folder_of, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export(folder_of(label), tmp_path / "out", "--onnx")
    assert "features as the encoder's" in capsys.readouterr().out
    session = runtime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    for count in (1, 4):
        (found,) = session.run(["features"], {"images": images()[:count].numpy()})
        assert torch.allclose(torch.from_numpy(found), expected(folder_of(label))[:count], atol=1e-5)


def test_an_encoder_of_five_channels_is_written_for_five(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    encoder = build_encoder(ResNet(depth=10, width=8, stem="small"), 16, 5)
    assert onnx_file.write_onnx(encoder, 16, 5, tmp_path / "model.onnx") < onnx_file.APART
    images = torch.rand(3, 5, 16, 16)
    (found,) = runtime.InferenceSession(str(tmp_path / "model.onnx")).run(["features"], {"images": images.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(found), encoder(images), atol=1e-5)


def test_onnx_without_its_packages_is_told_before_anything_is_written(folder_of, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_file, "NEEDED", ("torch", "no_such_package"))
    assert main(["export", str(folder_of("small")), "--to", str(tmp_path / "out"), "--onnx"]) == 1
    assert re.search(r'needs no_such_package, which is not.*pip install -e "\.\[onnx\]"', capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_an_onnx_file_with_other_features_is_not_kept(folder_of, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_file, "check_onnx", lambda: None)
    monkeypatch.setattr(onnx_file, "_export", lambda encoder, example, path: path.write_bytes(b"something"))
    monkeypatch.setattr(onnx_file, "_apart", lambda encoder, images, path: float("nan"))
    with pytest.raises(EnvironmentFault, match=r"model\.onnx: was not kept.*differ"):
        onnx_file.write_onnx(Pretrained.left(folder_of("small")).method().encoder, 16, 3, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
