"""Tuning: what a trial may fail of, what a kill leaves, and who waits for whom."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna.storages.journal._storage as optuna_journal
import pytest

from pipelines import journal, locks
from pipelines.errors import BadResult, DamagedFile, EnvironmentFault, InputError
from pipelines.spec.tuning import Range
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.study import close, opened, run_slot

ROOT = Path(journal.__file__).parents[1]
SPACE = {"temperature": Range(low=0.05, high=0.5, log=True)}


def search(folder: Path, trials: int = 3, **changes: object) -> OptunaStudy:
    values = {
        "name": "study",
        "space": SPACE,
        "sampler": "random",
        "seed": 0,
        "prune_below": 0.0,
        "repeats": 0,
        **changes,
    }
    return OptunaStudy(journal=folder / "journal.log", trials=trials, **values)  # type: ignore[arg-type]


def good(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
    return 0.0 if slot == 1 else 0.5


def bad(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
    raise BadResult(f"slot {slot}: the loss is nan at step 3")


def test_a_trial_that_diverged_scores_nothing_and_says_why(tmp_path: Path) -> None:
    made = search(tmp_path, floor=0.1)
    with opened(made):
        for slot, objective in enumerate((bad, good, good)):
            run_slot(made, slot, objective)
        rows = close(made)
    assert [(row["state"], row["value"]) for row in rows] == [("DIVERGED", 0.1), ("COMPLETE", 0.0), ("COMPLETE", 0.5)]
    assert [row["diverged"] for row in rows] == ["slot 0: the loss is nan at step 3", None, None]


def test_no_value_no_best(tmp_path: Path) -> None:
    made = search(tmp_path, trials=2)
    for slot in range(2):
        run_slot(made, slot, bad)
    with pytest.raises(
        BadResult, match=r"none of the 2 trials has a value.*2 diverged, the first: slot 0: .*narrow the"
    ):
        close(made)


@pytest.mark.parametrize("kind", [InputError, EnvironmentFault, DamagedFile, OSError, RuntimeError])
def test_whatever_else_goes_wrong_leaves_the_trial_running_and_the_next_attempt_resumes_it(
    tmp_path: Path, kind: type[Exception]
) -> None:
    made, seen = search(tmp_path, trials=1), []

    def trouble(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        seen.append(values)
        raise kind("the disk is full")

    with pytest.raises(kind, match="disk is full"):
        run_slot(made, 0, trouble)
    with pytest.raises(DamagedFile, match="slot 0 has no finished trial"):
        close(made)
    run_slot(made, 0, lambda slot, values, report: seen.append(values) or 0.5)
    (row,) = close(made)
    assert (row["number"], row["value"]) == (0, 0.5)
    assert seen[0] == seen[1] == row["params"]


def test_a_clock_that_was_set_back_gives_no_negative_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        ticks = 0

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            cls.ticks += 1
            return datetime(2026, 1, 1) - timedelta(hours=cls.ticks)

    monkeypatch.setattr(optuna_journal, "datetime", Clock)
    made = search(tmp_path, trials=1)
    run_slot(made, 0, good)
    assert Clock.ticks
    assert [row["seconds"] for row in close(made)] == [0.0]


LEFT = ["journal.log.lock", "journal.lock", "journal.log.lock-link"]


@pytest.mark.parametrize("left", LEFT)
def test_a_lock_file_that_a_kill_left_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results/jobs/tune/a")  # relative, as on the command line
    folder.mkdir(parents=True)
    if left.endswith("-link"):
        (folder / left.removesuffix("-link")).symlink_to(folder / "journal.log")
    else:
        (folder / left).write_text("node17 5 1\n")
    made = search(folder, trials=1)
    with opened(made):
        run_slot(made, 0, good)
    assert len(close(made)) == 1


def test_a_worker_waits_for_the_journal_to_an_end_and_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = locks.take
    monkeypatch.setattr(journal.locks, "take", lambda path, wait=0.3: real(path, wait))
    monkeypatch.setattr(locks, "TOLD_AFTER", 0.1)
    with (
        locks.locked(tmp_path / "journal.lock"),
        pytest.raises(EnvironmentFault, match=f"held by process {os.getpid()}"),
    ):
        run_slot(search(tmp_path), 0, good)
    assert f"held by process {os.getpid()} on" in capsys.readouterr().err


def test_a_line_half_written_while_others_work_is_cut_before_the_next(tmp_path: Path) -> None:
    made = search(tmp_path, trials=2)

    def killed_neighbour(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        with made.journal.open("a") as file:
            file.write('{"op_code": 4, "half a li')
        return 0.5

    with opened(made):
        for slot in range(2):
            run_slot(made, slot, killed_neighbour)
    assert [row["value"] for row in close(made)] == [0.5, 0.5]


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    made = search(tmp_path, trials=1)
    run_slot(made, 0, good)
    text = made.journal.read_text().splitlines(keepends=True)
    made.journal.write_text(text[0][:10] + "\n" + "".join(text[1:]))
    with pytest.raises(DamagedFile, match=r"journal\.log: not a journal of trials"):
        run_slot(made, 0, good)


@pytest.mark.parametrize("line", ["[]", "{}", "null", '"\\ud800"', "[" * 50_000], ids=lambda line: line[:9])
def test_a_line_of_another_shape_is_named(tmp_path: Path, line: str) -> None:
    made = search(tmp_path, trials=1)
    made.journal.write_text(f"{line}\n")
    with pytest.raises(DamagedFile, match=r"journal\.log: not a journal of trials"):
        run_slot(made, 0, good)


WORKER = """
import errno, fcntl, sys
from pathlib import Path
if sys.argv[1] == "without":
    def flock(*_): raise OSError(errno.ENOSYS, "no")
    fcntl.flock = flock
sys.path.insert(0, "tests")
from test_tuning import good, search
from pipelines.tuning.study import opened
from pipelines.tuning.work import work
made = search(Path(sys.argv[2]), trials=8)
with opened(made):
    work(made, int(sys.argv[3]), lambda lease: good, lambda: False)
"""


@pytest.mark.parametrize("mount", ["with", "without"])
def test_two_workers_share_a_study_on_every_mount(tmp_path: Path, mount: str) -> None:
    command = [sys.executable, "-c", WORKER, mount, str(tmp_path)]
    workers = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    rows = close(search(tmp_path, trials=8))
    assert [row["slot"] for row in rows] == list(range(8))
    assert sorted(row["number"] for row in rows) == list(range(8))


def test_a_mount_without_flock_holds_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", missing)
    made = search(tmp_path, trials=1)
    with opened(made):
        run_slot(made, 0, good)
    assert len(close(made)) == 1
