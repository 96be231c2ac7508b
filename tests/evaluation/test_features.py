"""Frozen features: computed without a trace on the encoder, saved whole, read strictly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.encoders.resnet import ResNet
from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation import features as features_module
from pipelines.evaluation.features import Features, evaluating, gathered, not_finite, pixel_parts, pooled_features


def example(**changes: Any) -> Features:
    values: dict[str, Any] = {
        "train": torch.randn(10, 4, generator=torch.Generator().manual_seed(0)),
        "train_label": torch.arange(10) % 3,
        "holdout": torch.tensor([1, 7]),
        "test": torch.randn(6, 4, generator=torch.Generator().manual_seed(1)),
        "test_label": torch.arange(6) % 3,
        "num_classes": 3,
    }
    return Features(**(values | changes))


def same(a: Features, b: Features) -> bool:
    names = ("train", "train_label", "holdout", "test", "test_label")
    return a.num_classes == b.num_classes and all(torch.equal(getattr(a, n), getattr(b, n)) for n in names)


def test_saved_and_loaded_are_equal(tmp_path: Path) -> None:
    features = example(train=torch.randn(4, 10).T)  # not contiguous
    features.save(tmp_path / "features.safetensors")
    assert same(Features.load(tmp_path / "features.safetensors"), features)
    assert [path.name for path in tmp_path.iterdir()] == ["features.safetensors"]


def test_ids_lie_beside_the_rows_and_can_be_read_back(tmp_path: Path) -> None:
    names = {"train": np.array([f"a/{i}" for i in range(8, 18)], "S"), "test": np.array(list("uvwxyz"), "S")}
    example().save(tmp_path / "f.safetensors", "x", names)
    found = load_file(tmp_path / "f.safetensors")
    for split, expected in names.items():
        rows = [bytes(row).rstrip(b"\0") for row in found[f"{split}_id"].numpy()]
        assert rows == expected.tolist()
    assert same(Features.load(tmp_path / "f.safetensors"), example())


def test_fit_is_the_rest_of_train() -> None:
    assert example().fit.tolist() == [0, 2, 3, 4, 5, 6, 8, 9]
    assert example(holdout=torch.empty(0, dtype=torch.int64)).fit.tolist() == list(range(10))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": torch.randn(10, 4).double()}, r"train is torch.float64 \(10, 4\)"),
        ({"test_label": torch.arange(5) % 3}, r"test_label torch.int64 \(5,\)"),
        ({"train_label": torch.arange(10) - 1}, "train_label runs from -1 to 8; labels of 3 classes"),
        ({"train": torch.full((10, 4), torch.nan)}, "10 of 10 rows of train hold NaN"),
        ({"test": torch.randn(6, 5)}, r"train \(10, 4\) and test \(6, 5\)"),
        ({"holdout": torch.tensor([1, 1])}, "holdout has to be distinct positions"),
        ({"holdout": torch.tensor([10])}, "holdout has to be distinct positions"),
        ({"holdout": torch.arange(10)}, "leave rows to fit on"),
    ],
)
def test_wrong_features_are_not_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        example(**changes).save(tmp_path / "f.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_is_no_features_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    with pytest.raises(InputError, match=r"f.safetensors: not a readable features file"):
        Features.load(path)
    example().save(path)
    path.write_bytes(path.read_bytes()[:-8])  # truncated
    with pytest.raises(InputError, match=r"f.safetensors: not a readable features file"):
        Features.load(path)
    rows: dict[str, Tensor] = {
        name: getattr(example(), name) for name in ("train", "train_label", "test", "test_label")
    }
    save_file(rows, path, metadata={"num_classes": "3"})
    with pytest.raises(InputError, match=r"f.safetensors: holds .*delete the file: the next evaluation embeds anew"):
        Features.load(path)
    save_file(rows | {"holdout": example().holdout, "extra": torch.ones(1)}, path, metadata={"num_classes": "3"})
    with pytest.raises(InputError, match="extra"):
        Features.load(path)
    save_file(rows | {"holdout": example().holdout}, path)
    with pytest.raises(InputError, match="num_classes"):
        Features.load(path)
    save_file(rows | {"holdout": example().holdout}, path, metadata={"num_classes": "2"})
    with pytest.raises(InputError, match=r"f.safetensors: train_label runs from 0 to 2"):
        Features.load(path)


def test_features_of_other_weights_and_changed_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    example().save(path, "these weights")
    assert same(Features.load(path, "these weights"), example())
    with pytest.raises(DamagedFile, match=r"f.safetensors: was made from other weights, images or code; delete"):
        Features.load(path, "other weights")
    data = path.read_bytes()
    for place in range(len(data) - 600, len(data), 7):  # tensors alone: a header that is changed may not even be JSON
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match=r"f.safetensors"):
            Features.load(path)


def test_pooled_features_leave_the_encoder_as_it_was() -> None:
    torch.manual_seed(0)
    encoder = ResNet(10, width=8, stem="small")
    encoder.layer1.eval()  # a part frozen by its owner
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    images = torch.randn(10, 3, 16, 16)
    rows = pooled_features(encoder, iter([images[:4], images[4:8], images[8:]]), "cpu")
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert encoder.training
    assert encoder.layer4.training
    assert not any(part.training for part in encoder.layer1.modules())
    assert rows.shape == (10, 64)
    assert not rows.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(rows, encoder.eval()(images), rtol=1e-4, atol=1e-5)  # whatever the batches


def test_bfloat16_features_are_float32_and_near() -> None:
    torch.manual_seed(0)
    encoder, images = ResNet(10, width=8, stem="small"), torch.randn(8, 3, 16, 16)
    exact, rough = (pooled_features(encoder, [images], "cpu", precision) for precision in ("float32", "bfloat16"))
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert ((rough - exact).norm() / exact.norm()).item() < 0.02


def test_modes_come_back_after_an_error() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    module[0].eval()

    def fail() -> None:
        with evaluating(module):
            assert not module[1].training
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [module.training, module[0].training, module[1].training] == [True, False, True]


def test_pixels_are_kept_and_large_images_averaged() -> None:
    small = torch.rand(3, 1, 8, 8)
    assert torch.equal(torch.cat(list(pixel_parts([small[:2], small[2:]]))), small.flatten(1))
    large = torch.rand(2, 3, 64, 64)
    expected = large.unflatten(3, (32, 2)).mean(4).unflatten(2, (32, 2)).mean(3)
    torch.testing.assert_close(next(pixel_parts([large])), expected.flatten(1))


@pytest.mark.parametrize("limit", [2**31, 100], ids=["in memory", "in a file"])
def test_wanted_rows_are_gathered_wherever_there_is_room(limit, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(features_module, "IN_MEMORY", limit)
    rows, wanted = torch.randn(50, 6), torch.arange(50) % 3 > 0
    before = len(mapped_files())
    found = gathered(iter(rows.split(7)), wanted, tmp_path / "scratch")
    assert torch.equal(found, rows[wanted])
    assert len(mapped_files()) == before + (limit == 100)
    assert not (tmp_path / "scratch").exists() or not list((tmp_path / "scratch").iterdir())
    del found
    assert len(mapped_files()) == before


def mapped_files() -> list[str]:
    """Files of this process's memory that have no name any more."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if ".rows-" in line]


def test_no_parts_make_no_rows() -> None:
    assert gathered(iter([]), torch.zeros(0, dtype=torch.bool), None).shape == (0, 0)


def test_rows_that_are_not_finite_are_counted_chunk_by_chunk(monkeypatch) -> None:
    monkeypatch.setattr(features_module, "CHUNK", 8)
    rows = torch.zeros(10, 4)
    rows[3, 1], rows[3, 2], rows[9, 0] = torch.nan, torch.inf, -torch.inf
    assert not_finite(rows) == 2
    assert not_finite(rows[:3]) == not_finite(rows[:0]) == 0


def test_features_do_not_depend_on_what_a_training_has_set(monkeypatch):
    """On a GPU a training in bfloat16 rounds factors of convolutions and searches their algorithms."""
    cudnn = torch.backends.cudnn
    for training in (False, True):
        monkeypatch.setattr(cudnn, "allow_tf32", training)
        monkeypatch.setattr(cudnn, "benchmark", training)
        with evaluating(torch.nn.Linear(1, 1)):
            assert (cudnn.allow_tf32, cudnn.benchmark) == (False, False)
        assert (cudnn.allow_tf32, cudnn.benchmark) == (training, training)
