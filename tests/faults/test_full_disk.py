"""A disk that is full at any write of any stage, one that may only be read, and a search whose journal was cut anywhere.

Each time one message, no record of half a job, and the same bytes once there is room.
"""

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from damage_tools import Finished, without_charts
from PIL import Image
from test_tuning import good, search

from pipelines import files
from pipelines.cli import main
from pipelines.spec.layout import written_plan
from pipelines.tuning.study import close, opened, run_slot

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("damaged")]


@contextmanager
def full_at(step: int, number: int = errno.ENOSPC) -> Iterator[list[int]]:
    """Whatever waits for the disk for the ``step``-th time is refused, as is everything after it; the count so far."""
    done, real = [0], os.fsync

    def fsync(descriptor: int) -> None:
        done[0] += 1
        if 0 <= step < done[0]:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield done


def left(folder: Path) -> dict[str, bytes]:
    """What a job leaves that does not name a time."""
    names = ("encoder.safetensors", "best.json", "predictions.npz", "index.json", "train-000000.tar", "test-000000.tar")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def emptied(study: Finished, stage: str) -> Path:
    """The last job of a stage as it was planned."""
    folder = study.plan.of(stage)[-1].folder(study.results)
    for path in folder.iterdir():
        if path.name != "spec.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


@pytest.mark.parametrize("stage", ["shards", "tune", "pretrain", "evaluate"])
def test_a_disk_full_at_any_write_loses_nothing_but_the_attempt(finished, tmp_path, capsys, stage):
    expected = left(finished.plan.of(stage)[-1].folder(finished.results))
    study = finished.copy(tmp_path)
    folder = emptied(study, stage)
    with full_at(-1) as count:
        assert main([stage, "--job", str(folder)]) == 0
    assert left(folder) == expected
    steps = list(
        range(count[0] - 2)
    )  # the last two are of the record, whose name may be there without its folder's sync
    for step in steps if len(steps) <= 12 else random.Random(stage).sample(steps, 12):
        folder = emptied(study, stage)
        capsys.readouterr()
        with full_at(step):
            assert main([stage, "--job", str(folder)]) == 1, f"at write {step} of {count[0]}"
        told = capsys.readouterr().err
        assert "No space left on device" in told
        assert "Traceback" not in told
        assert not (folder / "record.json").exists()
        assert main([stage, "--job", str(folder)]) == 0, capsys.readouterr().err
        assert left(folder) == expected, f"after write {step} of {count[0]}"


@contextmanager
def full_at_file(number: int) -> Iterator[list[str]]:
    """The disk is full when the file of this number, from 0, would get its name, and from then on; the names so far."""
    names: list[str] = []
    finish = files._finish

    def refused(part: Path, path: Path, mode: int, durable: bool) -> None:
        names.append(path.name)
        if 0 <= number < len(names):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finish(part, path, mode, durable)

    with pytest.MonkeyPatch.context() as patch, without_charts():
        patch.setattr(files, "_finish", refused)
        yield names


def commands(study: Finished, images: Path) -> dict[str, list[str]]:
    """What people and Snakemake run beside the jobs."""
    results, out = ["--results", str(study.results)], study.results / study.plan.study.name
    of_plan = ["--plan", str(written_plan(study.results, study.plan.study.name)), *results, "--out", str(out)]
    trained = str(study.plan.of("pretrain")[0].folder(study.results))
    return {
        "plan": ["plan", str(study.file), "--results", str(study.results / "fresh"), "--write"],
        "collect": ["collect", *of_plan],
        "report": ["report", *of_plan],
        "tables": ["tables", str(study.file), *results],
        "paper": ["paper", str(study.file), *results],
        "export": ["export", trained, "--to", str(study.results / "exported")],
        "embed-images": ["embed-images", trained, str(images), "--to", str(study.results / "features.parquet")],
    }


def present(folder: Path) -> dict[str, bytes]:
    """All files but those that a later run goes on from."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if ".parts/" not in name}


@pytest.mark.parametrize("command", ["plan", "collect", "report", "tables", "paper", "export", "embed-images"])
def test_a_disk_full_at_any_file_of_a_command_leaves_every_file_old_or_new(finished, tmp_path, capsys, command):
    images = tmp_path / "images"
    images.mkdir()
    for grey in range(3):
        Image.new("L", (8, 8), 80 * grey).save(images / f"{grey}.png")
    study = finished.copy(tmp_path / "before")
    if command == "paper":
        assert main(commands(study, images)["tables"]) == 0
    start, before = study, present(study.results)
    study = start.copy(tmp_path / "whole")
    with full_at_file(-1) as names:
        assert main(commands(study, images)[command]) == 0, capsys.readouterr().err
    after = present(study.results)
    for number in sorted({0, len(names) // 2, len(names) - 1} - {-1}):
        study = start.copy(tmp_path / str(number))
        capsys.readouterr()
        with full_at_file(number):
            assert main(commands(study, images)[command]) == 1, f"at {names[number]}"
        told = capsys.readouterr().err
        assert os.strerror(errno.ENOSPC) in told
        assert "Traceback" not in told
        left, new = present(study.results), set(names[:number])
        assert before.keys() <= left.keys() <= after.keys(), "a file of half a command"
        changed = {name for name, data in left.items() if before.get(name) != data}
        assert {Path(name).name for name in changed} <= new, "a file that had not got its name yet is another one"
        with without_charts():
            assert main(commands(study, images)[command]) == 0, capsys.readouterr().err
        assert present(study.results).keys() == after.keys()


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_results_that_take_no_file_are_one_message_and_stay_as_they_are(
    finished, tmp_path, capsys, monkeypatch, number
):
    study = finished.copy(tmp_path)
    before = {path: path.read_bytes() for path in study.results.rglob("*") if path.is_file()}

    def refused(path: Path) -> None:
        raise files.unwritten(path, OSError(number, os.strerror(number)))

    monkeypatch.setattr(files, "_beside", refused)
    plan = written_plan(study.results, "tiny")
    for stage in ("collect", "report"):
        assert main([stage, "--plan", str(plan), "--results", str(study.results), "--out", str(plan.parent)]) == 1
        told = capsys.readouterr().err
        assert f"could not be written ({os.strerror(number)})" in told
        assert told.count("\n") == 1
    assert main(["verify", str(study.file), "--results", str(study.results)]) == 0
    assert {path: path.read_bytes() for path in study.results.rglob("*") if path.is_file()} == before


@pytest.fixture
def mount(tmp_path) -> Iterator[Path]:
    """A file system of its own, to be made read-only as a real one is."""
    place = tmp_path / "mount"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("stage", ["shards", "tune", "pretrain", "evaluate"])
def test_a_job_on_a_file_system_that_may_only_be_read_is_one_message(finished, mount, capsys, stage):
    expected = left(finished.plan.of(stage)[-1].folder(finished.results))
    study = finished.copy(mount)
    folder = emptied(study, stage)
    before = sorted(mount.rglob("*"))
    capsys.readouterr()
    subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
    try:
        assert main([stage, "--job", str(folder)]) == 1
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(mount)], check=True)
    told = capsys.readouterr().err
    assert "Read-only file system" in told
    assert "free space or mend the folder, and run the same command again" in told
    assert told.count("\n") == 1, told
    assert sorted(mount.rglob("*")) == before
    assert main([stage, "--job", str(folder)]) == 0
    assert left(folder) == expected


def test_a_journal_cut_at_any_byte_ends_with_the_trials_that_were_asked_for(tmp_path):
    made = search(tmp_path, trials=4)
    (tmp_path / "whole").mkdir()

    def all_slots(folder: Path, objective: Callable[..., float] = good) -> list[dict]:
        made = search(folder, trials=4)
        with opened(made):
            for slot in range(4):
                run_slot(made, slot, objective)
        return close(made)

    expected = [(row["slot"], row["value"], row["params"]) for row in all_slots(tmp_path / "whole")]
    whole = (tmp_path / "whole" / made.journal.name).read_bytes()
    for cut in sorted(random.Random(0).sample(range(len(whole)), 25)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / made.journal.name).write_bytes(whole[:cut])
        found = [(row["slot"], row["value"], row["params"]) for row in all_slots(folder)]
        assert found == expected, f"cut at byte {cut} of {len(whole)}"
