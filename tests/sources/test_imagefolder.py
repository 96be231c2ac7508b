"""Folders of class folders: order, splits, class lists, links, and folders that are not as they should be."""

from pathlib import Path

import pytest
from source_tools import make_folder

from pipelines.errors import InputError
from pipelines.sources.imagefolder import read
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def test_without_train_and_test_a_stratified_share_is_test(tmp_path: Path) -> None:
    options = make_folder(tmp_path, {"b": 10, "a": 20})
    source = read(options)
    assert source.classes == ("a", "b")
    assert [(source.test.labels == label).sum() for label in (0, 1)] == [4, 2]
    assert sorted([*source.train.ids, *source.test.ids]) == sorted(
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")
    )
    assert read(options).test.ids == source.test.ids
    sample = source.train.read(0)
    assert sample.image == (tmp_path / sample.id).read_bytes()
    assert sample.extension == "png"


@pytest.mark.parametrize("name", ["test", "val"])
def test_train_and_test_or_val_folders_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    make_folder(tmp_path / "train", {"a": 3, "b": 2})
    make_folder(tmp_path / name, {"a": 1, "b": 1})
    source = read(ImageFolder(name="toy", folder=str(tmp_path)))
    assert source.train.ids[0] == "train/a/000.png"
    assert source.test.ids == [f"{name}/a/000.png", f"{name}/b/000.png"]


def test_bare_images_in_test_are_not_taken_for_classes(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", {"a": 3})
    make_folder(tmp_path / "val", {"a": 2})
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "x.png").write_bytes(b"")
    assert len(read(ImageFolder(name="toy", folder=str(tmp_path))).test) == 2


def test_a_class_list_selects_and_orders(tmp_path: Path) -> None:
    make_folder(tmp_path / "images", {"a": 2, "b": 2, "c": 2})
    (tmp_path / "list.txt").write_text("c  the third one\n\na\n")
    options = ImageFolder(
        name="toy", folder=str(tmp_path / "images"), classes=str(tmp_path / "list.txt"), test_share=0.5
    )
    source = read(options)
    assert source.classes == ("c", "a")
    assert {name.split("/")[0] for name in source.train.ids} == {"c", "a"}
    assert source.train.ids[0].startswith("c/")


def test_links_are_followed_once_and_nested_folders_belong_to_their_class(tmp_path: Path) -> None:
    make_folder(tmp_path / "elsewhere", {"x": 3})
    make_folder(tmp_path / "root", {"a/deep": 2})
    (tmp_path / "root" / "b").symlink_to(tmp_path / "elsewhere" / "x")
    (tmp_path / "root" / "a" / "deep" / "up").symlink_to(tmp_path / "root" / "a")
    (tmp_path / "root" / "a" / "notes.txt").write_text("no image")
    source = read(ImageFolder(name="toy", folder=str(tmp_path / "root"), test_share=0.0))
    assert source.train.ids == ["a/deep/000.png", "a/deep/001.png", "b/000.png", "b/001.png", "b/002.png"]


def test_an_empty_class_folder_is_refused_by_name(tmp_path: Path) -> None:
    options = make_folder(tmp_path, {"a": 2, "full": 2})
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InputError, match=r"hollow: the class folder holds no image.*remove the folder"):
        read(options)


def test_missing_folders_and_classes_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: dataset\.folder is no folder"):
        read(ImageFolder(name="toy", folder=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="no class folders"):
        read(ImageFolder(name="toy", folder=str(tmp_path)))
    make_folder(tmp_path / "train", {"a": 2, "b": 2})
    make_folder(tmp_path / "test", {"a": 2})
    source = read(ImageFolder(name="toy", folder=str(tmp_path)))
    assert (source.classes, source.test.labels.tolist()) == (("a", "b"), [0, 0])  # which is told, not refused
    make_folder(tmp_path / "test", {"b": 1, "z": 1})
    with pytest.raises(InputError, match=r"test/z: .*train has no class of that name"):
        read(ImageFolder(name="toy", folder=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "message"), [("a\nb\na\n", "class a is listed twice"), ("\n", "names no class"), ("q", "q: no such class")]
)
def test_a_wrong_class_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    make_folder(tmp_path / "images", {"a": 2, "b": 2})
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read(ImageFolder(name="toy", folder=str(tmp_path / "images"), classes=str(tmp_path / "list.txt")))
