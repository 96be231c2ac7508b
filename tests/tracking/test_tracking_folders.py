"""Job folders: what is found, how it is tagged, and what a mark stands for."""

from pathlib import Path

import pytest
from tracking.job_folders import finish, folder, log

from pipelines.errors import InputError
from pipelines.files import write_json
from pipelines.history import History
from pipelines.tracking.folders import Contents, Mark, find_jobs


def plan(results: Path, study: str, *jobs: tuple[str, str, str]) -> None:
    listed = [{"stage": stage, "key": key, "inputs": {}, "label": label, "spec": {}} for stage, key, label in jobs]
    write_json(results / study / "plan.json", {"study": study, "jobs": listed})


def test_jobs_are_tagged_with_every_study_that_plans_them(tmp_path: Path) -> None:
    for key in ("a-1", "b-2", "c-3"):
        folder(tmp_path, key)
    plan(tmp_path, "first", ("pretrain", "a-1", "moco_v2"), ("pretrain", "b-2", "simclr"))
    plan(tmp_path, "second", ("pretrain", "b-2", "simclr"), ("pretrain", "not-begun", "x"))
    assert {job.path.name: job.tags for job in find_jobs(tmp_path)} == {
        "a-1": {"label": "moco_v2", "study": "first"},
        "b-2": {"label": "simclr", "study": "first, second"},
        "c-3": {},
    }
    assert [job.path.name for job in find_jobs(tmp_path, ["second"])] == ["b-2"]
    assert [job.path.name for job in find_jobs(tmp_path, keys=["c-3"])] == ["c-3"]


def test_an_unknown_study_or_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="study 'nosuch' has no plan"):
        find_jobs(tmp_path, ["nosuch"])
    with pytest.raises(InputError, match="no folder for key gone-1"):
        find_jobs(tmp_path, keys=["gone-1"])


def test_contents_before_during_and_after_the_work(tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert Contents.read(path).empty
    with History.open(path / "history.jsonl") as history:
        assert Contents.read(path).empty
        history.log(0, {"a": 1.0})
        assert Contents.read(path).status == "RUNNING"
    before = Contents.read(path)
    assert (before.status, before.empty, before.mark.record) == ("FAILED", False, "")
    finish(path)
    after = Contents.read(path)
    assert after.status == "FINISHED"
    assert (after.stage, after.key) == ("pretrain", path.name)
    assert after.mark[:2] == before.mark[:2] != (0, "")
    assert Mark.parse(str(after.mark)) == after.mark


@pytest.mark.parametrize("lines", [3, 300])
def test_a_mark_holds_while_lines_are_added_and_breaks_when_they_are_cut(tmp_path: Path, lines: int) -> None:
    path = folder(tmp_path)
    log(path, *range(lines))
    mark = Contents.read(path).mark
    assert mark.size == (path / "history.jsonl").stat().st_size
    log(path, lines, lines + 1)
    assert Contents.read(path).holds(mark)
    with (path / "history.jsonl").open("a") as file:
        file.write('{"half')
    assert Contents.read(path).mark.size < (path / "history.jsonl").stat().st_size
    log(path, lines, keep_steps_below=lines)
    assert Contents.read(path).holds(mark)
    log(path, keep_steps_below=lines - 1)
    assert not Contents.read(path).holds(mark)
    log(path, lines - 1, lines, lines + 1)  # as long as before, at other times
    assert not Contents.read(path).holds(mark)


def test_a_mark_breaks_with_another_record_or_none(tmp_path: Path) -> None:
    path = folder(tmp_path)
    finish(path)
    mark = Contents.read(path).mark
    assert Contents.read(path).holds(mark)
    finish(path, metrics={"test/knn_top1": 0.8})
    assert not Contents.read(path).holds(mark)
    (path / "record.json").unlink()
    assert not Contents.read(path).holds(mark)
