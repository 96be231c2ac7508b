"""Problems: told in one message, and of the right kind, whatever library noticed them."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_records import write

from pipelines import cli
from pipelines.errors import BadResult, DamagedFile, EnvironmentFault, InputError, Problem
from pipelines.files import read_json, replacing, write_json
from pipelines.records import read_record
from pipelines.stages import collect

ROOT = Path(cli.__file__).parents[1]


@pytest.mark.parametrize("kind", [InputError, EnvironmentFault, DamagedFile, BadResult])
def test_every_kind_is_a_message_without_a_traceback(
    kind: type[Problem], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trouble(**options: object) -> None:
        raise kind("results/x: http://me:secret@h/x went wrong; do that")

    monkeypatch.setattr(collect, "run", trouble)
    assert cli.main(["collect", "--plan", "p", "--out", "o"]) == 1
    assert capsys.readouterr().err == "error: results/x: http://***@h/x went wrong; do that\n"


def test_a_disk_full_for_a_library_is_a_message_and_a_mistake_of_ours_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trouble(**options: object) -> None:
        raise OSError(number, os.strerror(number), "records.csv")

    monkeypatch.setattr(collect, "run", trouble)
    number = errno.ENOSPC
    assert cli.main(["collect", "--plan", "p", "--out", "o"]) == 1
    assert "No space left on device: 'records.csv'; free space" in capsys.readouterr().err
    number = errno.EINVAL
    with pytest.raises(OSError, match="Invalid"):
        cli.main(["collect", "--plan", "p", "--out", "o"])


def test_kinds_are_told_apart() -> None:
    assert issubclass(InputError, ValueError)
    assert not issubclass(EnvironmentFault, InputError)
    assert not issubclass(BadResult, InputError)
    assert issubclass(DamagedFile, InputError)
    assert issubclass(DamagedFile, EnvironmentFault)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"a\.json: could not be written \(No space left on device\); what was"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_a_job_whose_record_found_no_room_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EnvironmentFault):
            write(tmp_path)
    assert names(tmp_path) == []
    write(tmp_path)
    read_record(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match=r"file/a\.json: could not be written \((Not a directory|File exists)"):
        write_json(tmp_path / "file" / "a.json", 1)


def test_another_error_while_writing_passes_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    with pytest.raises(BadResult, match=r"^No space left on device$"), replacing(tmp_path / "a"):
        raise BadResult("No space left on device")
    assert names(tmp_path) == []


SMALL_FILES_ONLY = """
import resource, signal, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from pipelines.errors import EnvironmentFault
from pipelines.files import replacing, write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (
    lambda: write_text(Path(sys.argv[1]) / "text", "a" * 100_000),
    lambda: save(Path(sys.argv[1]) / "weights"),
):
    def save(path):
        with replacing(path) as part:
            save_file({"weights": torch.ones(100_000)}, part)
    try:
        write()
    except EnvironmentFault as error:
        print(error)
"""


def test_text_and_weights_that_find_no_room_are_named(tmp_path: Path) -> None:
    """A limit on file sizes makes the kernel refuse the write half way, as a full disk does."""
    command = [sys.executable, "-c", SMALL_FILES_ONLY, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert [line.split(":")[0] for line in ran.stdout.splitlines()] == [
        str(tmp_path / "text"), str(tmp_path / "weights")
    ], ran.stderr  # fmt: skip
    assert names(tmp_path) == []
