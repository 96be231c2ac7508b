"""Tars byte for byte as tarfile writes them, and a scan that finds what tarfile finds."""

import io
import tarfile
from pathlib import Path

import pytest

from pipelines.sources.base import Sample
from pipelines.sources.tars import members, scan, write_tar

SAMPLES = [
    ("00000000-a", Sample("a", b"x" * 511, "png", 3)),
    ("00000001-b", Sample("b", b"", "jpg")),
    ("00000002-" + "c" * 60, Sample("c", b"y" * 512, "webp", 0, "é", {"depth.png": b"d" * 1025}, {"k": [1]})),
]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_bytes_are_tarfiles(tmp_path: Path, count: int) -> None:
    assert len(write_tar(tmp_path / "ours.tar", SAMPLES[:count])) == count
    with tarfile.open(tmp_path / "theirs.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for key, sample in SAMPLES[:count]:
            for extension, data in members(sample):
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()


def test_the_scan_finds_every_sample_where_it_is(tmp_path: Path) -> None:
    written = write_tar(tmp_path / "ours.tar", SAMPLES)
    data = (tmp_path / "ours.tar").read_bytes()
    places = scan(data)
    assert places == written
    assert [place.key for place in places] == [key for key, _ in SAMPLES]
    for place, (_, sample) in zip(places, SAMPLES):
        assert data[place.image[0] : sum(place.image)] == sample.image
        assert (place.label, place.caption) == (sample.label, sample.caption)
        assert {name: data[start : start + size] for name, (start, size) in place.fields.items()} == sample.fields


def test_a_name_too_long_for_a_tar_is_our_mistake(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="100 bytes"):
        write_tar(tmp_path / "ours.tar", [("k" * 99, Sample("a", b"", "png"))])
