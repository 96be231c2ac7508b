"""Acceptance: a result made by other code stands when a person says so, for that record and that code."""

from pathlib import Path

import pytest
from test_records import old, write

from pipelines.acceptance import FILE, accept, acceptances, standing
from pipelines.code import Code
from pipelines.errors import InputError
from pipelines.records import read_record

THEN = Code("aaaa", {"pipelines/a.py": "1", "pipelines/b.py": "1"})
NOW = Code("bbbb", {"pipelines/a.py": "2", "pipelines/b.py": "1", "pipelines/c.py": "1"})
LATER = Code("cccc", {"pipelines/a.py": "3", "pipelines/b.py": "1"})


def test_a_record_stands_by_its_code_or_by_an_acceptance(tmp_path: Path) -> None:
    record = write(tmp_path, code=THEN)
    assert standing(record, tmp_path, THEN) == "same"
    assert standing(record, tmp_path, NOW) == "changed"
    given = accept(tmp_path, NOW, " only a message was reworded ")
    assert given.reason == "only a message was reworded"
    assert given.changed == ("pipelines/a.py", "pipelines/c.py (new)")
    assert acceptances(tmp_path) == (given,)
    assert read_record(tmp_path) == record
    assert [standing(record, tmp_path, code) for code in (THEN, NOW, LATER)] == ["same", "accepted", "changed"]
    accept(tmp_path, LATER, "again")
    assert [standing(record, tmp_path, code) for code in (THEN, NOW, LATER)] == ["same", "accepted", "accepted"]


def test_an_acceptance_does_not_hold_for_the_next_record(tmp_path: Path) -> None:
    write(tmp_path, code=THEN)
    accept(tmp_path, NOW, "a reason")
    assert standing(write(tmp_path, code=THEN, seconds=2.0), tmp_path, NOW) == "changed"


def test_a_record_of_unknown_code_can_be_accepted(tmp_path: Path) -> None:
    old(tmp_path)
    assert standing(read_record(tmp_path), tmp_path, NOW) == "unknown"
    accept(tmp_path, NOW, "made the day before")
    assert standing(read_record(tmp_path), tmp_path, NOW) == "accepted"


def test_nothing_is_accepted_without_reason_record_or_need(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        accept(tmp_path, NOW, "a reason")
    write(tmp_path, code=THEN)
    with pytest.raises(InputError, match="needs a reason"):
        accept(tmp_path, NOW, "  ")
    with pytest.raises(InputError, match="nothing to accept"):
        accept(tmp_path, THEN, "a reason")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["[", "{}", '[{"reason": ""}]'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    record = write(tmp_path, code=THEN)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=FILE):
        standing(record, tmp_path, NOW)
