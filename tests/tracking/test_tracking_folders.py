"""Job folders and marks: what a folder says of its job, and what a mark stands for."""

from pathlib import Path

import pytest
from tracking.job_folders import finish, folder, log

from pipelines.history import History
from pipelines.tracking.folders import ReadJob, state_of
from pipelines.tracking.marks import Mark


def mark_of(path: Path) -> Mark:
    job = ReadJob.read(path)
    return Mark.of(job.history, [job.digest] if job.record else [])


def holds(path: Path, mark: Mark) -> bool:
    return mark_of(path).holds(mark, path / "history.jsonl")


def test_a_job_before_during_and_after_its_work(tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert mark_of(path) == Mark()
    assert state_of(path) == ()
    with History.open(path / "history.jsonl") as history:
        assert mark_of(path) == Mark()
        history.log(0, {"a": 1.0})
        assert ReadJob.read(path).status == "RUNNING"
        running = state_of(path)
    before = mark_of(path)
    assert (ReadJob.read(path).status, before.records) == ("FAILED", frozenset())
    assert state_of(path) not in ((), running)
    finish(path)
    after = mark_of(path)
    job = ReadJob.read(path)
    assert (job.status, job.stage, job.key) == ("FINISHED", "pretrain", path.name)
    assert (after.size, after.tail) == (before.size, before.tail) != (0, "")
    assert len(after.records) == 1
    assert Mark.parse(str(after)) == after


def test_a_mark_of_no_record_and_of_many_is_read_back() -> None:
    for mark in (Mark(), Mark(5, "abc"), Mark(5, "abc", frozenset({"1" * 12, "2" * 12}))):
        assert Mark.parse(str(mark)) == mark


@pytest.mark.parametrize("lines", [3, 300])
def test_a_mark_holds_while_lines_are_added_and_breaks_when_they_are_cut(tmp_path: Path, lines: int) -> None:
    path = folder(tmp_path)
    log(path, *range(lines))
    mark = mark_of(path)
    assert mark.size == (path / "history.jsonl").stat().st_size
    log(path, lines, lines + 1)
    assert holds(path, mark)
    with (path / "history.jsonl").open("a") as file:
        file.write('{"half')
    assert mark_of(path).size < (path / "history.jsonl").stat().st_size
    log(path, lines, keep_steps_below=lines)
    assert holds(path, mark)
    log(path, keep_steps_below=lines - 1)
    assert not holds(path, mark)
    log(path, lines - 1, lines, lines + 1)  # as long as before, at other times
    assert not holds(path, mark)


def test_a_mark_breaks_with_another_record_or_none_and_holds_with_one_more(tmp_path: Path) -> None:
    path = folder(tmp_path)
    finish(path)
    mark = mark_of(path)
    assert holds(path, mark)
    assert Mark(mark.size, mark.tail, mark.records | {"one more"}).holds(mark, path / "history.jsonl")
    finish(path, metrics={"test/top1": 0.8})
    assert not holds(path, mark)
    (path / "record.json").unlink()
    assert not holds(path, mark)
