"""Folders as somebody else named and nested them: recognised, or asked about by name, never guessed."""

import os
import random
from pathlib import Path

import pytest
from source_tools import encoded, image, make_folder, noise

from pipelines.errors import InputError
from pipelines.listing.splits import split_of
from pipelines.sources.base import SPLITS
from pipelines.sources.imagefolder import read
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.imagefolder import Options as ImageFolder

BOXES = ("a/@__thumb", "#recycle", "@Recycle/a", "#snapshot", "a/@tmp", "~snapshot", "$RECYCLE.BIN", "__pycache__")


def options(folder: Path, **changes: object) -> ImageFolder:
    return ImageFolder(**{"name": "toy", "folder": str(folder), **changes})


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set", "test_set"), ("train_data", "val_data"), ("trn", "tst"), ("Train", "DEV"), ("train", "eval"),
        ("images_train", "images-test"), ("train2017", "val2017"), ("TrainSet", "Validation Set"),
    ],
)  # fmt: skip
def test_split_folders_are_known_by_all_usual_names(tmp_path: Path, train: str, test: str) -> None:
    make_folder(tmp_path / train, {"a": 4, "b": 4})
    make_folder(tmp_path / test, {"a": 2, "b": 1}, seed=9)
    source = read(options(tmp_path))
    assert (source.classes, len(source.train), len(source.test)) == (("a", "b"), 8, 3)
    assert source.layout.startswith(f"train: {train}/; test: {test}/")


@pytest.mark.parametrize("name", ["trains", "tested", "cat", "set", "images", "evil", "trainbus", "trän", ""])
def test_what_only_sounds_like_a_split_is_none(name: str) -> None:
    assert split_of(name) is None


def test_housekeeping_of_storage_boxes_is_left_out_and_counted(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 4, "b": 4})
    for name in BOXES:
        image(tmp_path / name / "x.png")
    source = read(options(tmp_path))
    assert source.classes == ("a", "b")
    assert source.skipped["housekeeping"]["count"] == len(BOXES)


def test_a_pipe_is_left_out_and_counted_and_nobody_waits_for_it(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 4, "b": 4})
    for name in ("a/camera.png", "b/inner/feed", "beside"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)
    options(tmp_path).check_files()
    source = read(options(tmp_path, test_share=0.0))
    assert len(list(source.samples("train"))) == 8
    assert source.skipped == {
        "pipe, socket or device": {"count": 3, "examples": ["beside", "a/camera.png", "b/inner/feed"]}
    }


@pytest.mark.parametrize("place", ["test", "train/c", "test/a"])
def test_a_link_that_leads_nowhere_where_a_split_or_class_could_lie_is_refused(tmp_path: Path, place: str) -> None:
    """A disk that is not there must not turn three classes into two, or cut test out of train."""
    make_folder(tmp_path / "train", {"a": 4, "b": 4})
    if place != "test":
        make_folder(tmp_path / "test", {"b": 4}, seed=9)
    (tmp_path / place).symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=rf"{place}: a link that leads nowhere, to .*/gone, .*mend it .*or remove it"):
        options(tmp_path).check_files()


def test_a_link_that_leads_nowhere_among_images_is_counted(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / "list").symlink_to(tmp_path / "gone")
    assert read(options(tmp_path)).skipped == {"link that leads nowhere": {"count": 1, "examples": ["a/list"]}}


@pytest.mark.parametrize(("link", "to"), [("test", "train"), ("train/c", "train/a")])
def test_two_names_of_one_folder_are_no_two_splits_or_classes(tmp_path: Path, link: str, to: str) -> None:
    make_folder(tmp_path / "train", {"a": 4, "b": 4})
    (tmp_path / link).symlink_to(tmp_path / to)
    with pytest.raises(InputError, match=rf"{link}: is the same folder as {tmp_path}/{to}, by a link.*remove the link"):
        options(tmp_path).check_files()


def test_names_that_are_no_utf8_are_refused_as_classes_and_told_as_files(tmp_path: Path) -> None:
    """Tables and reports are UTF-8: they failed of such a name after everything had been trained."""
    make_folder(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / os.fsdecode(b"caf\xe9.png")).write_bytes(encoded(noise(1, 8, 8, 3, seed=5)[0]))
    (tmp_path / "b" / os.fsdecode(b"caf\xe9.txt")).write_text("no image")
    source = read(options(tmp_path, test_share=0.0))
    assert "a/caf\\udce9.png" in source.train.ids
    assert source.skipped[".txt"]["examples"] == ["b/caf\\udce9.txt"]
    make_folder(tmp_path, {os.fsdecode(b"caf\xe9"): 4})
    with pytest.raises(InputError, match=r"caf\\udce9: the name of this class folder is not UTF-8.*convmv"):
        options(tmp_path).check_files()


@pytest.mark.parametrize("name", ["Mr. Smith at the beach, the second one", "x.größe", "x." + "long " * 40])
def test_an_image_that_has_a_dot_and_no_ending_is_packed_as_what_it_is(tmp_path: Path, name: str) -> None:
    make_folder(tmp_path, {"a": 4, "b": 4})
    image(tmp_path / "a" / name, seed=7, kind="jpeg")
    source = read(options(tmp_path))
    kinds = {sample.extension for split in SPLITS for sample in source.samples(split)}
    assert kinds == {"png", "jpg"}
    build_shards(source, options(tmp_path), tmp_path / "out")


def test_a_class_of_which_no_image_can_be_read_is_refused_by_name(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "raw", {"a": 20, "b": 20}).model_copy(update={"max_unreadable": 0.3})
    (tmp_path / "raw" / "bird").mkdir()
    for number in range(3):
        (tmp_path / "raw" / "bird" / f"{number}.png").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=r"class bird: none of its images can be read, bird/\d.png among them; mend"):
        build_shards(read(made), made, tmp_path / "out")


@pytest.mark.parametrize(("one", "other"), [("caf\u00e9", "cafe\u0301"), ("Cat", "cat"), ("cat", "cat ")])
def test_names_that_look_the_same_are_told_apart(tmp_path: Path, one: str, other: str) -> None:
    make_folder(tmp_path / "train", {one: 4, "b": 4})
    make_folder(tmp_path / "test", {other: 4, "b": 4}, seed=9)
    with pytest.raises(
        InputError, match=r"has no class of that name \(it has '.*', and this is '.*rename one\)"
    ) as said:
        options(tmp_path).check_files()
    assert ascii(one) in str(said.value)
    assert ascii(other) in str(said.value)


def test_a_path_that_is_not_whole_is_told_with_where_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^mine: dataset.folder is no folder, it does not exist in {tmp_path};"):
        options(Path("mine")).check_files()


@pytest.mark.parametrize("inner", [("train", "test"), ("cat", "dog")])
def test_one_folder_around_the_true_ones_is_asked_about(tmp_path: Path, inner: tuple[str, str]) -> None:
    for number, name in enumerate(inner):
        make_folder(tmp_path / "zip" / "pics" / name, {"a": 4, "b": 4}, seed=10 * number)
    with pytest.raises(
        InputError, match=r"zip: holds the one folder pics/ .*write dataset.folder: .*zip/pics; else"
    ) as told:
        options(tmp_path / "zip").check_files()
    assert "labels: none" in str(told.value)
    options(tmp_path / "zip" / "pics").check_files()
    assert len(read(options(tmp_path / "zip", labels="none", test_share=0.0)).train) == 16
    (tmp_path / "one.txt").write_text("pics")
    assert read(options(tmp_path / "zip", classes=str(tmp_path / "one.txt"))).classes == ("pics",)


def test_splits_inside_of_classes_are_asked_about(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        make_folder(tmp_path / name, {"Train": 4, "Test": 2}, seed=10 * number)
    with pytest.raises(InputError, match=r"a/Train: a split inside a class folder.* other way round: Train/a/"):
        options(tmp_path).check_files()


def test_folders_inside_of_classes_are_told(tmp_path: Path) -> None:
    make_folder(tmp_path / "animal", {"cat": 2, "dog": 2})
    make_folder(tmp_path / "plant", {"oak": 2, "rose": 2}, seed=5)
    told = "2 classes; folders inside class folders count to the class (animal/cat, animal/dog, plant/oak, ...)"
    assert read(options(tmp_path)).layout.endswith(told)


def test_files_that_may_be_images_are_refused_beyond_the_share_and_text_never_is(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 5, "b": 5})
    draw = random.Random(0)
    for number in range(15):
        for name in "ab":
            (tmp_path / name / f"{number}.nef").write_bytes(draw.randbytes(600))
    for number, content in enumerate(("Maße\n".encode("latin-1"), "größer".encode("utf-16"), b"0 0.1\r\n", b"")):
        (tmp_path / "a" / f"{number}.txt").write_bytes(content)
    (tmp_path / "archive.zip").write_bytes(draw.randbytes(600))  # beside the class folders
    refusal = r"30 of 40 files among the images are neither text .* allows 0: a/0.nef, a/1.nef, a/10.nef, ...; convert"
    for ask in (lambda: read(options(tmp_path)), options(tmp_path).contents):
        with pytest.raises(InputError, match=refusal):
            ask()
    source = read(options(tmp_path, max_unreadable=0.75))
    counts = {kind: found["count"] for kind, found in source.skipped.items()}
    assert counts == {".nef": 30, ".txt": 4, ".zip": 1}
    assert len(source.train) + len(source.test) == 10


def test_one_strange_file_of_many_images_is_told_and_passes(tmp_path: Path) -> None:
    make_folder(tmp_path, {"a": 1000}, side=4)
    (tmp_path / "a" / "x.psd").write_bytes(b"8BPS\0\1" + noise(1, 50)[0].tobytes())
    assert read(options(tmp_path)).skipped == {".psd": {"count": 1, "examples": ["a/x.psd"]}}


PUBLISHED = {
    "inet": ({"train": 2}, ["val/ILSVRC2012_val_1.JPEG", "ILSVRC2012_validation_ground_truth.txt"], "write use: imagenet"),
    "kaggle": ({"Data/CLS-LOC/train": 2}, ["Annotations/x.xml"], r"dataset.folder: .*/Data/CLS-LOC"),
    "cub": ({"images": 2}, ["train_test_split.txt", "parts/parts.txt"], "sort images/ into train/ and test/"),
    "cars": ({}, ["devkit/cars_meta.mat", "cars_train/1.jpg", "cars_test/1.jpg"], "and cars_train sound like .*devkit/"),
    "binary": ({}, ["cifar-10-batches-bin/data_batch_1.bin"], "write use: cifar10"),
    "idx": ({}, ["train-images-idx3-ubyte"], "write use: mnist"),
    "parquet": ({}, ["data/train-00000.parquet"], "Parquet"),
    "coco": ({}, ["train2017/1.jpg", "annotations/instances_train2017.json"], "labels: none"),
    "yolo": ({}, ["train/images/1.jpg", "train/labels/1.txt"], r"dataset.folder: .*/train/images"),
    "tars": ({}, ["train-000.tar"], "write use: webdataset"),
}  # fmt: skip
"""Layout -> folders with so many images in each of two classes, other files, and what the refusal says."""


@pytest.mark.parametrize("layout", list(PUBLISHED))
def test_a_published_layout_that_is_no_class_folders_is_refused_with_what_reads_it(tmp_path: Path, layout: str) -> None:
    parts, others, message = PUBLISHED[layout]
    for part, count in parts.items():
        make_folder(tmp_path / part, {"a": count, "b": count})
    for name in others:
        if name.lower().endswith(("jpg", "jpeg")):
            image(tmp_path / name, kind="jpeg")
        else:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
    mine = ImageFolder(name="toy", folder=str(tmp_path))
    for use in (read, ImageFolder.check_files):
        with pytest.raises(InputError, match=message):
            use(mine)


def test_a_val_folder_without_class_folders_is_asked_about(tmp_path: Path) -> None:
    """Its images would otherwise be left out, and test be cut out of train."""
    make_folder(tmp_path / "train", {"a": 5, "b": 5})
    image(tmp_path / "val" / "1.png")
    with pytest.raises(InputError, match=r"val: no class folders in it, .* write dataset.val: unused"):
        read(ImageFolder(name="toy", folder=str(tmp_path)))
    assert len(read(ImageFolder(name="toy", folder=str(tmp_path), val="unused")).test) == 2


def test_classes_that_hold_the_words_of_splits_and_more_are_classes(tmp_path: Path) -> None:
    make_folder(tmp_path, {"steam train": 5, "test tube": 5})
    assert read(ImageFolder(name="toy", folder=str(tmp_path))).classes == ("steam train", "test tube")
