"""A data set whose files changed after it was packed: seen by planning, never used in silence, never made anew unasked."""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from source_tools import encoded, image, make_folder, noise
from study_tools import Made, finish, left

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.listing import inventory
from pipelines.spec.restocked import restocked

STUDY = """
question: q
dataset: {{name: mine, {dataset}}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{{use: knn, k: 3}}]
"""
FOLDER = "use: imagefolder, folder: {0}/pics"


def packed(folder: Path, dataset: str = FOLDER) -> Made:
    """A study of sixteen images in three classes, or of two tars of six, packed; everything else is said to be done."""
    make_folder(folder / "pics", {"cat": 6, "dog": 6, "eel": 4})
    (folder / "list.txt").write_text("cat\ndog\neel\n")
    for number in range(2):
        with tarfile.open(folder / f"t{number}.tar", "w") as tar:
            for path in sorted((folder / "pics" / ("cat", "dog")[number]).iterdir()):
                tar.add(path, path.name)
                (folder / "label.cls").write_text(str(number))
                tar.add(folder / "label.cls", f"{path.stem}.cls")
    made = Made.of(STUDY.format(dataset=dataset.format(folder)), folder)
    for job in made.plan.jobs.values():
        if job.stage != "shards":
            finish(job, made.results)
    return made


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def append(path: Path) -> None:
    with tarfile.open(path, "a") as tar:
        tar.add(path.parent / "list.txt", "more.txt")


FOLDER_CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda root: image(root / "pics/cat/new.png"), "7 images in cat, 6 were packed"),
    (lambda root: image(root / "pics/cat/inner/new.png"), "1 images in cat/inner, 0 were packed"),
    (lambda root: image(root / "pics/fox/new.png"), "4 classes, 3 were packed; 1 images in fox, 0 were packed"),
    (lambda root: (root / "pics/dog/003.png").unlink(), "5 images in dog, 6 were packed"),
    (lambda root: (root / "pics/dog/003.png").rename(root / "pics/dog/9.png"), "dog: other names, sizes or times"),
    (lambda root: (root / "pics/dog/003.png").write_bytes(encoded(noise(1, 9, 9, 3)[0])), "dog: other names, sizes"),
    (lambda root: touch(root / "pics/dog/003.png"), "dog: other names, sizes or times"),
    (lambda root: shutil.rmtree(root / "pics/dog"), "2 classes, 3 were packed; 0 images in dog, 6 were packed"),
    (lambda root: (root / "pics/valid").mkdir(), "valid: named like a split"),
]
CHANGES = [(FOLDER, *change) for change in FOLDER_CHANGES] + [
    (FOLDER + ", classes: {0}/list.txt", lambda root: (root / "list.txt").write_text("dog\ncat\neel\n"), "other classes"),
    ("use: webdataset, train: '{0}/t*.tar'", lambda root: append(root / "t1.tar"), "t1.tar: other names, sizes"),
    (
        "use: webdataset, train: '{0}/t*.tar'",
        lambda root: shutil.copy(root / "t0.tar", root / "t9.tar"),
        "t9.tar, 0 were packed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "change", "message"), CHANGES)
def test_files_that_changed_after_packing_are_told_and_stop_the_run(
    tmp_path: Path, capsys, dataset, change, message
) -> None:
    made = packed(tmp_path, dataset)
    assert not left(made.plan, made.results)
    change(tmp_path)
    with pytest.raises(InputError, match="data set mine: its files changed after it was packed") as refusal:
        left(made.plan, made.results)
    assert message in str(refusal.value)
    assert main(["plan", str(tmp_path / "study.yaml"), "--results", str(made.results)]) == 0
    assert f"done of other files ({restocked(made.plan.of('shards')[0], made.results).told})" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "pics/cat/notes.txt").write_text("no image"),
        lambda root: image(root / "pics/.thumbnails/x.png"),
        lambda root: image(root / "pics/cat/@eaDir/x.png"),
        lambda root: shutil.rmtree(root / "pics"),
    ],
    ids=["no image", "hidden folder", "housekeeping", "all gone"],
)
def test_what_is_no_image_and_a_folder_that_is_gone_change_nothing(tmp_path: Path, change) -> None:
    made = packed(tmp_path)
    change(tmp_path)
    assert not left(made.plan, made.results)


def test_when_asked_for_all_is_made_anew_from_the_files_of_now(tmp_path: Path) -> None:
    made = packed(tmp_path)
    (shards,) = made.plan.of("shards")
    before = made.record(shards)["metrics"]
    image(tmp_path / "pics/cat/new.png", seed=9)
    assert left(made.plan, made.results, rerun_changed=True) == set(made.plan.jobs)
    made.run(shards)
    after = made.record(shards)["metrics"]
    assert after["data/train"] + after["data/test"] == before["data/train"] + before["data/test"] + 1
    assert not left(made.plan, made.results)


def test_shards_that_are_accepted_stand_until_the_files_change_again(tmp_path: Path) -> None:
    made = packed(tmp_path)
    accept = [
        "accept",
        str(tmp_path / "study.yaml"),
        "--results",
        str(made.results),
        "--reason",
        "copied without times",
    ]
    touch(tmp_path / "pics/cat/001.png")
    assert main(accept) == 0
    assert not left(made.plan, made.results)
    image(tmp_path / "pics/cat/new.png")
    with pytest.raises(InputError, match="7 images in cat"):
        left(made.plan, made.results)


def test_of_a_large_set_no_file_is_asked_for_while_its_folders_have_their_time(tmp_path: Path, monkeypatch) -> None:
    made = packed(tmp_path)
    monkeypatch.setattr(inventory, "MOST_FILES", 11)
    with monkeypatch.context() as patch:
        patch.setattr(inventory, "_seen", lambda path: pytest.fail(f"{path} was asked for"))
        assert not left(made.plan, made.results)
    image(tmp_path / "pics/cat/new.png")
    with pytest.raises(InputError, match="7 images in cat"):
        left(made.plan, made.results)


def test_a_packing_that_goes_on_after_the_files_changed_begins_anew(tmp_path: Path) -> None:
    made = packed(tmp_path)
    (shards,) = made.plan.of("shards")
    folder = shards.folder(made.results)
    for name in ("index.json", "record.json"):
        (folder / name).unlink()
    (tmp_path / "pics/dog/003.png").write_bytes(encoded(noise(1, 8, 8, 3, seed=77)[0]))
    before = {path.name: path.read_bytes() for path in folder.glob("*.tar")}
    assert main(["shards", "--job", str(folder)]) == 0
    assert {path.name: path.read_bytes() for path in folder.glob("*.tar")} != before
