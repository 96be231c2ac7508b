"""The file of score histograms: what is saved comes back, and what is damaged is named."""

import pytest

from pipelines.errors import DamagedFile
from pipelines.histograms import BINS, Histograms

GIVEN = Histograms(total_steps=64, rows=(0, 3), counts={"positive": ((1,) * BINS, (0,) * BINS)})


def test_what_is_saved_comes_back(tmp_path):
    GIVEN.save(tmp_path / "scores.json")
    assert Histograms.load(tmp_path / "scores.json") == GIVEN


def test_a_changed_file_is_named(tmp_path):
    path = tmp_path / "scores.json"
    GIVEN.save(path)
    path.write_text(path.read_text().replace('"total_steps":64', '"total_steps":65'))
    with pytest.raises(DamagedFile, match=r"scores\.json.*checksum"):
        Histograms.load(path)
    path.write_text('{"total_steps": 3, "rows": [5, 2], "counts": {}}')
    with pytest.raises(DamagedFile, match="ascending"):
        Histograms.load(path)


@pytest.mark.parametrize("counts", [((1,) * BINS,), ((1,) * BINS, (1, 2)), ((1,) * BINS, (-1,) * BINS)])
def test_rows_have_to_fit(counts):
    with pytest.raises(ValueError, match=r"counts\.positive"):
        Histograms(total_steps=64, rows=(0, 3), counts={"positive": counts})
