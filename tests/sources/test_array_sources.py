"""Digits, Fashion-MNIST, CIFAR and STL-10: what they hold, and what is said when files are wrong."""

import gzip
import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_tools import noise, write_idx

from pipelines.errors import InputError
from pipelines.sources import cifar10, digits, fashion_mnist, stl10
from pipelines.sources.base import Sample, open_source
from pipelines.spec.datasets.cifar10 import Options as CIFAR10
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.fashion_mnist import Options as FashionMNIST
from pipelines.spec.datasets.stl10 import Options as STL10


def pixels(sample: Sample) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sample.image)))


def test_digits_are_split_by_position_and_stretched_to_255() -> None:
    from sklearn.datasets import load_digits

    raw, source = load_digits(), open_source(Digits())
    assert (len(source.train), len(source.test)) == (1438, 359)
    assert source.classes == tuple("0123456789")
    first = source.test.read(0)
    assert (first.extension, first.label) == ("png", raw.target[4])
    assert np.array_equal(pixels(first), np.round(raw.images[4] * 255 / 16))
    assert source.train.read(4).label == raw.target[5]
    assert digits.read(Digits()).train.read(0) == next(source.samples("train"))


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    for prefix, count in (("train", 6), ("t10k", 3)):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", noise(count, 4, 5))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8))
    return tmp_path


def test_fashion_reads_plain_and_gzipped_idx_files(fashion: Path) -> None:
    plain = fashion / "t10k-images-idx3-ubyte"
    Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    source = fashion_mnist.read(FashionMNIST(folder=str(fashion)))
    assert (len(source.train), len(source.test)) == (6, 3)
    assert np.array_equal(pixels(source.train.read(2)), noise(6, 4, 5)[2])
    assert source.classes[source.train.read(1).label] == "Trouser"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train-images-idx3-ubyte", lambda data: b"\1" + data[1:], "not an idx file"),
        ("train-images-idx3-ubyte", lambda data: data[:-1], r"\(6, 4, 5\), 120 bytes, but holds 119"),
        ("train-labels-idx1-ubyte", lambda data: data[:7] + b"\5" + data[8:-1], "5 labels for 6 images"),
        ("t10k-labels-idx1-ubyte", lambda data: data[:-1] + b"\x0a", "label 10; labels are 0 to 9"),
    ],
)
def test_fashion_refuses_damaged_files_by_name(fashion: Path, name: str, change, message: str) -> None:
    (fashion / name).write_bytes(change((fashion / name).read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        fashion_mnist.read(FashionMNIST(folder=str(fashion)))
    assert name in str(caught.value)


def test_fashion_names_a_missing_file_and_a_cut_gzip(fashion: Path) -> None:
    path = fashion / "train-labels-idx1-ubyte"
    data = gzip.compress(path.read_bytes())
    path.unlink()
    with pytest.raises(InputError, match=r"no file train-labels-idx1-ubyte.*dataset\.folder"):
        fashion_mnist.read(FashionMNIST(folder=str(fashion)))
    Path(f"{path}.gz").write_bytes(data[:-6])
    with pytest.raises(InputError, match=r"labels-idx1-ubyte\.gz: cannot be read"):
        fashion_mnist.read(FashionMNIST(folder=str(fashion)))


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Five train files and one of test in CIFAR-10's layout, two images each; (12, 3, 32, 32) in their order."""
    from torchvision import datasets

    folder = root / datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    images, sums = noise(12, 3, 32, 32), []
    for number in range(6):
        part = {"data": images[2 * number : 2 * number + 2].reshape(2, -1), "labels": [number, 9 - number]}
        (folder / f"part{number}").write_bytes(pickle.dumps(part))
        sums.append([f"part{number}", hashlib.md5((folder / f"part{number}").read_bytes()).hexdigest()])
    (folder / "names").write_bytes(pickle.dumps({"label_names": [f"class{number}" for number in range(10)]}))
    meta = {"filename": "names", "key": "label_names", "md5": hashlib.md5((folder / "names").read_bytes()).hexdigest()}
    for name, value in (("train_list", sums[:5]), ("test_list", sums[5:]), ("meta", meta)):
        monkeypatch.setattr(datasets.CIFAR10, name, value)
    return images


def test_cifar_comes_through_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = write_cifar(tmp_path, monkeypatch)
    source = cifar10.read(CIFAR10(folder=str(tmp_path)))
    assert (len(source.train), len(source.test)) == (10, 2)
    assert source.classes[source.train.read(3).label] == "class8"
    assert np.array_equal(pixels(source.train.read(3)), images[3].transpose(1, 2, 0))


def test_damaged_cifar_is_refused_and_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "part2").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match=r"CIFAR10 is not there or not whole.*dataset\.folder"):
        cifar10.read(CIFAR10(folder=str(tmp_path)))


@pytest.fixture
def stl(tmp_path: Path) -> Path:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    for name, count in (("train", 4), ("test", 2), ("unlabeled", 3)):
        (folder / f"{name}_X.bin").write_bytes(noise(count, 3, 96, 96, seed=count).tobytes())
        (folder / f"{name}_y.bin").write_bytes(bytes(range(1, count + 1)))
    (folder / "class_names.txt").write_text("\n".join(f"class{number}" for number in range(10)))
    return tmp_path


def test_stl_adds_the_unlabelled_images_and_turns_columns_to_rows(stl: Path) -> None:
    source = stl10.read(STL10(folder=str(stl)))
    assert source.train.labels.tolist() == [0, 1, 2, 3, -1, -1, -1]
    assert np.array_equal(pixels(source.train.read(5)), noise(3, 3, 96, 96, seed=3)[1].transpose(2, 1, 0))
    assert len(stl10.read(STL10(folder=str(stl), unlabelled=False)).train) == 4


def test_stl_refuses_cut_files_and_wrong_counts(stl: Path) -> None:
    labels = stl / "stl10_binary" / "train_y.bin"
    labels.write_bytes(bytes([1, 2, 3]))
    with pytest.raises(InputError, match=r"train_y.bin: 3 labels for 4 images"):
        stl10.read(STL10(folder=str(stl)))
    labels.write_bytes(bytes([1, 2, 3, 11]))
    with pytest.raises(InputError, match="labels 1 to 11; they are 1 to 10"):
        stl10.read(STL10(folder=str(stl)))
    with (stl / "stl10_binary" / "train_X.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="not a whole number of images"):
        stl10.read(STL10(folder=str(stl)))
