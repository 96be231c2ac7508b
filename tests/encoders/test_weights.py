"""Weights from files: every origin's names lead to the same features, and what does not fit is refused with a list."""

import argparse
import os
import zipfile
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from pipelines.encoders import build_encoder
from pipelines.encoders.weights import load_strictly, read_weights
from pipelines.errors import InputError
from pipelines.spec.encoders.checkpoint import Options
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.timm import Options as Timm
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.vit_names import ours, torchvisions
from pipelines.spec.weight_names import encoder_weights
from pipelines.spec.weight_shapes import WeightShape, shapes_in

R18, VIT = ResNet(depth=18), ViT(size="tiny", patch=16)


def drawn(options, seed: int = 0):
    torch.manual_seed(seed)
    encoder = build_encoder(options, 32)
    for value in encoder.buffers():  # statistics that are not those of birth
        if value.is_floating_point() and value.dim() == 1:
            value.copy_(torch.rand_like(value) + 0.5)
    return encoder.eval()


def features(path: Path, form: str, architecture) -> torch.Tensor:
    options = Options(path=str(path), format=form, architecture=architecture, image_size=32).known()
    with torch.no_grad():
        return build_encoder(options, 8).eval()(images())


def images() -> torch.Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def put(weights, before: str):
    return {f"{before}{name}": value for name, value in weights.items()}


HEAD = {"fc.weight": torch.zeros(4, 512), "fc.bias": torch.zeros(4)}


def moco(weights):
    extra = {"module.queue": torch.zeros(2), "module.queue_ptr": torch.zeros(1), **put(HEAD, "module.encoder_q.")}
    twin = put({name: torch.zeros_like(value) for name, value in weights.items()}, "module.encoder_k.")
    return {"epoch": 1, "state_dict": {**put(weights, "module.encoder_q."), **twin, **extra}, "optimizer": {}}


def moco_v3(weights):
    return {"state_dict": {**put(weights, "module.base_encoder."), "module.predictor.0.weight": torch.zeros(1)}}


def swav(weights):
    return put({**weights, "projection_head.0.weight": torch.zeros(1), "prototypes.weight": torch.zeros(1)}, "module.")


def dino(weights):
    twin = {name: torch.zeros_like(value) for name, value in weights.items()}
    head = {"head.mlp.0.weight": torch.zeros(1)}
    settings = argparse.Namespace(arch="vit_tiny")
    return {
        "student": put({**put(twin, "backbone."), **head}, "module."),
        "teacher": {**put(weights, "backbone."), **head},
        "args": settings,
    }


def mae(weights):
    return {"model": {**weights, "mask_token": torch.zeros(1), "decoder_pred.bias": torch.zeros(1)}}


@pytest.mark.parametrize(
    ("form", "architecture", "wrapped"),
    [
        ("torchvision", R18, lambda weights: {**weights, **HEAD}),
        ("timm", R18, lambda weights: {**weights, **HEAD}),
        ("moco", R18, moco),
        ("moco", VIT, moco_v3),
        ("swav", R18, swav),
        ("dino", VIT, dino),
        ("dino", R18, lambda weights: weights),
        ("mae", ViT(size="tiny", patch=16, position="sincos"), mae),
        ("torchvision", VIT, lambda weights: {**torchvisions(weights), "heads.head.bias": torch.zeros(1)}),
    ],
    ids=["torchvision", "timm", "moco", "moco_v3", "swav", "dino", "dino_resnet", "mae", "torchvision_vit"],
)
def test_a_file_of_any_origin_gives_the_features_of_its_network(form, architecture, wrapped, tmp_path):
    encoder = drawn(architecture)
    torch.save(wrapped(encoder.state_dict()), tmp_path / "w.pth")
    with torch.no_grad():
        expected = encoder(images())
    assert torch.equal(features(tmp_path / "w.pth", form, architecture), expected)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])
def test_a_timm_model_is_read_with_its_classifier_left_out(name, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=5).eval()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(images()), pre_logits=True)
    assert torch.allclose(features(tmp_path / "w.safetensors", "timm", Timm(name=name)), expected)


def test_torchvisions_own_resnet_and_ours_see_the_same(tmp_path):
    torch.manual_seed(0)
    model = torchvision.models.resnet50().eval()
    torch.save(model.state_dict(), tmp_path / "r50.pth")
    model.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = model(images())
    assert torch.allclose(features(tmp_path / "r50.pth", "torchvision", ResNet(depth=50)), expected, atol=1e-6)


def test_torchvisions_vision_transformer_and_ours_see_the_same(tmp_path):
    torch.manual_seed(0)
    model = torchvision.models.VisionTransformer(32, 16, 12, 3, 192, 768).eval()
    torch.save(model.state_dict(), tmp_path / "vit.pth")
    model.heads = torch.nn.Identity()
    with torch.no_grad():
        expected = model(images())
    assert torch.allclose(features(tmp_path / "vit.pth", "torchvision", VIT), expected, atol=1e-5)
    names = drawn(VIT).state_dict()
    assert ours(torchvisions(names)).keys() == names.keys()


class Code:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("given", "architecture", "said"),
    [
        (ResNet(depth=34), R18, "missing: nothing; too much: layer1.2.conv1.weight, layer2.2.conv1"),
        (R18, ResNet(depth=34), "missing: layer1.2.conv1.weight, layer2.3.conv1.weight"),
        (ResNet(depth=50, width=8), ResNet(depth=34, width=8), "too much: layer1.0.conv3.weight"),
        (ResNet(depth=18, width=32), R18, r"conv1.weight \(32, 3, 7, 7\) instead of \(64, any, 7, 7\)"),
        (ResNet(depth=18, stem="small"), ResNet(depth=18, stem="large"), r"conv1.weight \(64, 3, 3, 3\) instead"),
        (VIT, ViT(size="micro", patch=16), r"too much: blocks.4.attn.*proj.weight \(192, 3, 16, 16\) instead of \(64,"),
        (VIT, ViT(size="tiny", patch=8), r"patch_embed.proj.weight \(192, 3, 16, 16\) instead of \(192, any, 8, 8\)"),
        (VIT, R18, "missing: conv1.weight, layer1.1.conv1.weight"),
    ],
)
@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_planning_refuses_another_depth_width_or_kind_without_torch(
    given, architecture, said, kind, tmp_path, monkeypatch
):
    (torch.save if kind == "pth" else save_file)(drawn(given).state_dict(), tmp_path / f"w.{kind}")
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(InputError, match=said):
        Options(path=str(tmp_path / f"w.{kind}"), format="torchvision", architecture=architecture).known()
    Options(path=str(tmp_path / f"w.{kind}"), format="torchvision", architecture=given).known()


class Counted(torch.nn.Module):
    """Runs something when it is unpickled the usual way."""

    def __setstate__(self, state):
        raise AssertionError("a file's own code was called")


def test_going_through_a_file_calls_nothing_that_it_names(tmp_path):
    settings = argparse.Namespace(arch="x")
    torch.save(
        {"state_dict": {"a": torch.nn.Parameter(torch.zeros(2, 3))}, "args": settings, "model": Counted()},
        tmp_path / "w.pth",
    )
    found = shapes_in(tmp_path / "w.pth")
    assert found["state_dict"] == {"a": WeightShape((2, 3))}
    assert not isinstance(found["model"], torch.nn.Module)
    assert not isinstance(found["args"], argparse.Namespace)


def test_what_tells_no_shapes_is_left_to_who_reads_the_weights(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    assert shapes_in(tmp_path / "old.pth") is None
    assert shapes_in(tmp_path / "cut.safetensors") is None
    Options(path=str(tmp_path / "old.pth"), format="torchvision", architecture=ResNet(depth=34)).known()
    with pytest.raises(InputError, match=r"another architecture; missing: layer1\.2"):
        features(tmp_path / "old.pth", "torchvision", ResNet(depth=34))


@pytest.mark.parametrize(
    ("weights", "architecture", "said"),
    [
        (drawn(ResNet(depth=34)).state_dict(), R18, "another architecture; missing: nothing; too much: layer1.2"),
        (drawn(R18).state_dict(), ResNet(depth=34), "missing: layer1.2.conv1.weight"),
        (
            drawn(ResNet(depth=18, width=32)).state_dict(),
            R18,
            r"conv1.weight \(32, 3, 7, 7\) instead of \(64, 3, 7, 7\)",
        ),
        ({**drawn(R18).state_dict(), "bn1.bias": torch.full((64,), torch.nan)}, R18, "not finite: bn1.bias"),
    ],
    ids=["deeper", "shallower", "narrower", "nan"],
)
def test_what_does_not_fit_is_refused_and_said(weights, architecture, said):
    encoder = build_encoder(architecture, 32)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(InputError, match=said):
        load_strictly(encoder, weights, "w.pth")
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"conv1.weight": torch.zeros(1), "note": "hello"}, "not weights: note"),
        ({"a": Code()}, "holds code or objects"),
        ([1, 2], "holds no state dict but list"),
    ],
    ids=["text", "code", "list"],
)
def test_what_is_no_state_dict_is_refused_and_said(content, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=said):
        Options(path="w.pth", format="torchvision", architecture=R18).known()
    with pytest.raises(InputError, match=said):
        encoder_weights(read_weights(tmp_path / "w.pth"), "torchvision", "w.pth", torch.Tensor)
    assert not (tmp_path / "ran").exists()


def test_a_moco_file_needs_its_query_network(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="encoder_q"):
        features(tmp_path / "w.pth", "moco", R18)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"version https://git-lfs", "Git LFS pointer"),
        (b"<html>", "neither safetensors nor"),
    ],
)
def test_planning_refuses_what_is_no_file_of_weights(content, said, tmp_path):
    if content is not None:
        (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=said):
        Options(path=str(tmp_path / "w.pth"), format="timm", architecture=R18).known()


@pytest.mark.parametrize("broken", ["code", "cut"])
def test_planning_sees_code_and_cut_files_without_loading_them(broken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Code()} if broken == "code" else drawn(R18).state_dict(), tmp_path / "w.pth")
    if broken == "cut":
        whole = (tmp_path / "w.pth").read_bytes()
        (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="posix.system" if broken == "code" else "cannot be read"):
        Options(path=str(tmp_path / "w.pth"), format="timm", architecture=R18).known()
    assert not (tmp_path / "ran").exists()


def test_planning_unpacks_no_compressed_parts_which_could_be_gigabytes(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "whole.pth")
    with (
        zipfile.ZipFile(tmp_path / "whole.pth") as whole,
        zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    with pytest.raises(InputError, match=r"w\.pth cannot be read \(its parts are compressed"):
        Options(path=str(tmp_path / "w.pth"), format="timm", architecture=R18).known()
    Options(path=str(tmp_path / "whole.pth"), format="timm", architecture=R18).known()


@pytest.mark.parametrize("content", [{"a": Code()}, [1]])
def test_reading_runs_no_code_either(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"holds code or objects|no state dict"):
        features(tmp_path / "w.pth", "torchvision", R18)
    assert not (tmp_path / "ran").exists()


def test_planning_refuses_another_file_than_the_one_named(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="sha256"):
        Options(path=str(tmp_path / "w.pth"), format="timm", architecture=R18, sha256="0" * 64).known()


def test_planning_asks_for_an_architecture_where_nothing_tells_it(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="architecture: is needed"):
        Options(path=str(tmp_path / "w.pth"), format="swav").known()


def test_a_file_cut_short_is_refused(tmp_path):
    torch.save(drawn(R18).state_dict(), tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        features(tmp_path / "w.pth", "torchvision", R18)


@pytest.mark.parametrize("claimed", [2**40, 2**63 - 1], ids=["header", "header-at-the-limit"])
def test_a_safetensors_header_that_claims_gigabytes_is_refused(claimed, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(claimed.to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match=r"w\.safetensors"):
        features(tmp_path / "w.safetensors", "timm", R18)


def test_a_safetensors_file_whose_tensor_claims_gigabytes_is_refused(tmp_path):
    header = b'{"conv1.weight":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match=r"w\.safetensors"):
        features(tmp_path / "w.safetensors", "timm", R18)
