"""Records: written whole, read checked, numbers plain, versions without imports."""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import artifacts, machine, records
from pipelines.code import Code
from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.records import Record, checked_file, now, read_record, write_record


def write(out: Path, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "key": "moco-digits-s0-0123abcd",
        "stage": "pretrain",
        "spec": {"seed": 0, "method": {"use": "moco", "betas": [0.9, 0.999]}},
        "inputs": {"shards": "digits-89abcdef"},
        "metrics": {"val/knn_top1": 0.91, "train/steps": 12},
        "derived": {"lr": 0.03, "precision": "bfloat16"},
        "seconds": 1.5,
        "started": now(),
    }
    return write_record(out, **(values | changes))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").touch()
    record = write(
        tmp_path,
        artifacts={"weights": "weights.safetensors"},
        flags=["collapsed"],
        images_per_second=10,
        code=Code("89ab", {"pipelines/a.py": "0123"}),
    )
    assert read_record(tmp_path) == read_record(tmp_path / "record.json") == record
    assert record.code == {"pipelines/a.py": "0123"}
    assert record.code_digest == "89ab"
    assert record.artifacts == {"weights": "weights.safetensors"}
    assert record.flags == ("collapsed",)
    assert record.started <= record.finished
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_artifacts_are_stored_relative_to_the_record_from_any_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("job")
    (out / "deep").mkdir(parents=True)
    (out / "deep" / "a.npy").touch()
    forms = {
        "relative": "deep/a.npy",
        "joined": out / "deep/a.npy",
        "absolute": out.resolve() / "deep/a.npy",
    }
    assert set(write(out, artifacts=forms).artifacts.values()) == {"deep/a.npy"}


def test_a_missing_artifact_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"gone\.npy"):
        write(tmp_path, artifacts={"features": "gone.npy"})
    assert list(tmp_path.iterdir()) == []


def test_non_finite_numbers_become_null_and_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        metrics={"train/loss": math.nan, "b": -math.inf, "c": 1.0},
        derived={"lr": math.inf},
    )
    record = read_record(tmp_path)
    assert record.metrics == {"train/loss": None, "b": None, "c": 1.0}
    assert record.derived == {"lr": None}
    assert record.flags == ("not_finite:train/loss", "not_finite:b", "not_finite:lr")


def test_numpy_numbers_become_plain(tmp_path: Path) -> None:
    metrics = write(
        tmp_path,
        metrics={"a": np.float32(0.5), "b": np.int64(3), "c": np.float32("nan")},
    ).metrics
    assert metrics == {"a": 0.5, "b": 3, "c": None}
    assert type(metrics["a"]) is float
    assert type(metrics["b"]) is int


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"metrics": {"a": "high"}}, "metrics.a"),
        ({"seconds": -1}, "seconds"),
        ({"started": "yesterday"}, "started"),
        ({"started": "2026-01-01T00:00:00+02:00"}, "started"),
        ({"key": None}, "key"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    write(tmp_path)
    file = tmp_path / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=named) as caught:
        read_record(tmp_path)
    assert str(file) in str(caught.value)


def test_a_cut_or_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_record(tmp_path / "record.json")
    write(tmp_path)
    file = tmp_path / "record.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(InputError, match="not valid JSON"):
        read_record(tmp_path)
    file.write_text("[]")
    with pytest.raises(InputError, match="not a record"):
        read_record(tmp_path)


def old(out: Path, **changes: Any) -> None:
    """A record as it was written before it named its code and its files."""
    write(out, **changes)
    value = json.loads((out / "record.json").read_text())
    for name in ("code", "code_digest", "files", "checksum"):
        del value[name]
    (out / "record.json").write_text(json.dumps(value))


def test_an_old_record_is_read_and_vouches_for_names_alone(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"abc")
    old(tmp_path, artifacts={"weights": "weights"})
    record = read_record(tmp_path)
    assert (record.code, record.code_digest, record.files) == ({}, "", {})
    assert checked_file(record, tmp_path, "weights").read_bytes() == b"abc"


def test_a_new_record_without_its_checksum_is_no_old_one(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    write(tmp_path, artifacts={"weights": "weights"})
    file = tmp_path / "record.json"
    file.write_text(
        json.dumps({name: each for name, each in json.loads(file.read_text()).items() if name != "checksum"})
    )
    with pytest.raises(InputError, match="checksum"):
        read_record(tmp_path)


def same_or_refused(folder: Path, place: int, value: int, original: Record) -> None:
    """One byte of record.json replaced: the reader notices, or nothing that it says has changed."""
    file = folder / "record.json"
    data = file.read_bytes()
    file.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
    with contextlib.suppress(InputError):
        assert read_record(folder) == original
    file.write_bytes(data)


def with_everything(folder: Path) -> Record:
    (folder / "weights").write_bytes(b"some weights")
    return write(
        folder,
        artifacts={"weights": "weights"},
        code=Code("89ab", {"pipelines/a.py": "0123"}),
        metrics={"a": 1e-07, "b": 12, "c": math.nan, "ä": -0.5},
        flags=["collapsed"],
    )


@pytest.mark.parametrize("flip", [1, 2, 4, 16, 32, 128])
def test_any_flipped_bit_of_a_record_is_noticed(tmp_path: Path, flip: int) -> None:
    original = with_everything(tmp_path)
    data = (tmp_path / "record.json").read_bytes()
    for place, byte in enumerate(data):
        same_or_refused(tmp_path, place, byte ^ flip, original)
    assert read_record(tmp_path) == original


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(min_value=0), value=st.integers(0, 255))
def test_any_replaced_byte_of_a_record_is_noticed(tmp_path: Path, place: int, value: int) -> None:
    original = with_everything(tmp_path)
    same_or_refused(tmp_path, place % (tmp_path / "record.json").stat().st_size, value, original)


@pytest.mark.parametrize("place", range(len("some weights")))
def test_any_changed_byte_of_an_artifact_is_noticed(tmp_path: Path, place: int) -> None:
    record = with_everything(tmp_path)
    assert checked_file(record, tmp_path, "weights") == tmp_path / "weights"
    data = bytearray(b"some weights")
    data[place] ^= 1
    (tmp_path / "weights").write_bytes(data)
    with pytest.raises(InputError, match=r"weights: SHA-256 is .* its bytes changed; set it aside with: "):
        checked_file(record, tmp_path, "weights")


def test_a_cut_missing_or_unknown_artifact_is_named(tmp_path: Path) -> None:
    record = with_everything(tmp_path)
    (tmp_path / "weights").write_bytes(b"some")
    with pytest.raises(InputError, match=r"4 bytes, its record says 12"):
        checked_file(record, tmp_path, "weights")
    (tmp_path / "weights").unlink()
    with pytest.raises(InputError, match=f"no such file; .* python -m pipelines pretrain --job {tmp_path}"):
        checked_file(record, tmp_path, "weights")
    with pytest.raises(InputError, match="names no file 'head' \\(it has: weights\\)"):
        checked_file(record, tmp_path, "head")


def test_an_artifact_is_hashed_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, hashed = with_everything(tmp_path), []
    monkeypatch.setattr(artifacts, "sha256_file", lambda path: hashed.append(path) or sha256_file(path))
    for _ in range(3):
        checked_file(record, tmp_path, "weights")
    assert len(hashed) == 1


def test_a_clock_that_was_set_back_gives_no_negative_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = now()
    monkeypatch.setattr(records, "now", lambda: "2001-01-01T00:00:00.000+00:00")
    record = write(tmp_path, started=started, seconds=-3600.0, images_per_second=-2.0)
    assert (record.seconds, record.images_per_second) == (0.0, None)
    assert record.finished == started
    assert read_record(tmp_path) == record


def in_python(code: str, root: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(root)} | environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def copy_of_package(folder: Path) -> Path:
    package = folder / "pipelines"
    package.mkdir(parents=True)
    for name in ("__init__.py", "artifacts.py", "code.py", "errors.py", "files.py", "machine.py", "records.py"):
        shutil.copy(Path(records.__file__).parent / name, package / name)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


STATE = "from pipelines.machine import git_state; print(*git_state())"


def test_commit_and_dirtiness_of_the_checkout(tmp_path: Path) -> None:
    root = copy_of_package(tmp_path / "project")
    git(tmp_path, "init", "-q", str(root))
    (root / ".gitignore").write_text("__pycache__\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "start")
    head = git(root, "rev-parse", "HEAD")
    assert in_python(STATE, root) == f"{head} False"
    (root / "notes.txt").write_text("outside the package")
    assert in_python(STATE, root) == f"{head} False"
    (root / "pipelines" / "new_method.py").write_text("")
    assert in_python(STATE, root) == f"{head} True"


def test_outside_a_checkout_the_commit_is_unknown(tmp_path: Path) -> None:
    root = copy_of_package(tmp_path / "site-packages")
    assert in_python(STATE, root, GIT_CEILING_DIRECTORIES=str(tmp_path)) == "unknown False"
    git(tmp_path, "init", "-q", str(tmp_path))  # a foreign repository round an installed package
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "other")
    assert in_python(STATE, root) == "unknown False"
    assert in_python(STATE, root, PATH="/nonexistent") == "unknown False"


def test_versions_name_only_what_is_imported() -> None:
    code = "from pipelines import machine; import sys; print(*machine.versions()); assert 'torch' not in sys.modules"
    assert in_python(code, Path(machine.__file__).parents[1]) == "python"
    assert machine.versions()["numpy"] == np.__version__
