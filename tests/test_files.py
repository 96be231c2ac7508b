"""Files appear whole or not at all, and are as open to others as the umask lets them be."""

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.files import replacing, write_json, write_text


@pytest.fixture(params=[0o077, 0o027, 0o022, 0o002], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_file_has_the_rights_that_the_umask_leaves(tmp_path, umask):
    write_text(tmp_path / "new" / "a.txt", "x")
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "old.json").chmod(0o604)
    write_json(tmp_path / "old.json", {"a": 1}, durable=False)
    with replacing(tmp_path / "w.safetensors") as part:  # written by a library, to a path
        save_file({"a": torch.ones(2)}, part)
    for name in ("new/a.txt", "old.json", "w.safetensors"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask
    assert load_file(tmp_path / "w.safetensors")["a"].sum() == 2


def fails_half_way(path):
    with replacing(path) as part:
        part.write_text("half")
        raise OSError("disk full")


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(OSError, match="disk full"):
        fails_half_way(tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
