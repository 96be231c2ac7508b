"""Every way in which a job reads images believes the record of its shards, and asks once more at its end."""

import ast
from pathlib import Path

import pytest

from pipelines.building import methods

ROOM = Path(methods.__file__).parent
READS = {"loader", "Scenes", "online_knn"}
FOR_EYES = ("pictures.py", "sheets.py")


def called(path: Path) -> set[str]:
    """The names of all functions and methods that a file calls."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {getattr(each, "id", getattr(each, "attr", "")) for each in calls}


def test_shards_are_opened_in_one_place_which_compares_the_index_with_its_record() -> None:
    assert [path.name for path in ROOM.parent.glob("[bes][uvt]*/*.py") if "open_shards" in called(path)] == [
        "methods.py"
    ]


READERS = sorted(path for path in ROOM.glob("*.py") if called(path) & READS and path.name not in FOR_EYES)


def test_readers_are_found() -> None:
    assert {"features", "label_sets", "masks", "pairs", "boxes", "workbench", "pretraining"} <= {
        each.stem for each in READERS
    }


@pytest.mark.parametrize("path", READERS, ids=[path.stem for path in READERS])
def test_what_reads_images_compares_their_shards_once_more_when_it_has_read_them(path: Path) -> None:
    assert "check_unchanged" in called(path)
