"""Every way in which a job reads images believes the record of its shards, and asks once more at its end."""

import ast
from pathlib import Path

import pytest

from pipelines.building import methods

ROOM = Path(methods.__file__).parent
READERS = sorted(path for path in ROOM.glob("*.py") if "packed(job.inputs" in path.read_text())


def called(path: Path) -> set[str]:
    """The names of all functions and methods that a file calls."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {getattr(each, "id", getattr(each, "attr", "")) for each in calls}


def test_shards_are_opened_in_one_place_which_compares_the_index_with_its_record() -> None:
    assert [path.name for path in ROOM.parent.glob("[bes][uvt]*/*.py") if "open_shards" in called(path)] == [
        "methods.py"
    ]


@pytest.mark.parametrize("path", READERS, ids=[path.stem for path in READERS])
def test_what_opens_the_shards_of_a_job_compares_them_once_more_when_it_has_read_them(path: Path) -> None:
    rest = called(path) | (called(ROOM / "features.py") if path.stem == "embedding" else set())
    assert "check_unchanged" in rest
