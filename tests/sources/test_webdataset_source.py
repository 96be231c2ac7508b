"""Existing tars as a source: labels, captions, further images, patterns, and tars that were cut."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from source_tools import encoded, noise

from pipelines.errors import InputError
from pipelines.listing.paths import expand
from pipelines.sources.webdataset import read
from pipelines.spec.datasets.webdataset import Options as WebDataset

IMAGES = [encoded(image, "jpeg") for image in noise(8, 8, 8, 3)]


def write(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:  # PAX headers, as many writers have them
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    return path


def options(tmp_path: Path, **changes: object) -> WebDataset:
    return WebDataset(name="toy", train=str(tmp_path / "train-*.tar"), **changes)


def test_labels_captions_fields_and_meta(tmp_path: Path) -> None:
    depth = encoded(noise(1, 8, 8)[0])
    write(tmp_path / "train-0.tar", ("d/x.y/a.jpg", IMAGES[0]), ("d/x.y/a.cls", b"2\n"), ("d/x.y/a.depth.png", depth))
    meta = json.dumps({"label": 1, "caption": "a dog", "width": 8}).encode()
    write(tmp_path / "train-1.tar", ("b.JPG", IMAGES[1]), ("b.json", meta), ("b.depth.png", depth))
    write(tmp_path / "test.tar", ("c.txt", "ein Hund é".encode()), ("c.jpg", IMAGES[2]), ("c.depth.png", depth))
    source = read(options(tmp_path, test=str(tmp_path / "test.tar"), fields=("depth.png",)))
    first, second = source.samples("train")
    assert (first.image, first.extension, first.label, first.caption) == (IMAGES[0], "jpg", 2, None)
    assert first.fields == {"depth.png": depth}
    assert (second.label, second.caption, second.meta["width"], second.extension) == (1, "a dog", 8, "jpg")
    (third,) = source.samples("test")
    assert (third.label, third.caption) == (-1, "ein Hund é")
    assert source.classes == ("0", "1", "2")


def test_without_test_tars_a_share_of_train_is_test(tmp_path: Path) -> None:
    members = [(f"{n}.{kind}", data) for n in range(8) for kind, data in (("jpg", IMAGES[n]), ("cls", b"%d" % (n % 2)))]
    write(tmp_path / "train-0.tar", *members)
    source = read(options(tmp_path, test_share=0.25))
    assert (len(source.train), sorted(source.test.labels.tolist())) == (6, [0, 1])
    assert {*source.train.ids, *source.test.ids} == {f"train-0.tar/{n}" for n in range(8)}


def test_patterns_are_expanded_in_order_and_a_hole_is_named(tmp_path: Path) -> None:
    for name in ("a-000", "a-001", "a-002", "b-001"):
        write(tmp_path / f"{name}.tar")
    found = expand(str(tmp_path / "a-{000..002}.tar"))
    assert [path.name for path in found] == ["a-000.tar", "a-001.tar", "a-002.tar"]
    assert [path.name for path in expand(str(tmp_path / "*-001.tar"))] == ["a-001.tar", "b-001.tar"]
    with pytest.raises(InputError, match=r"a-003\.tar: no such tar"):
        expand(str(tmp_path / "a-{000..004}.tar"))


@pytest.mark.parametrize("keep", [700, 1024, 2600])
def test_a_cut_tar_is_refused_wherever_the_cut_is(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "train-0.tar", ("a.jpg", IMAGES[0]), ("a.cls", b"0"), ("b.jpg", IMAGES[1]), ("b.cls", b"0"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"train-0\.tar: (not a whole|cut off)"):
        read(options(tmp_path))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.cls", b"0")], "sample a has 0 images"),
        ([("a.jpg", IMAGES[0]), ("a.png", IMAGES[1])], "sample a has 2 images"),
        ([("a.jpg", IMAGES[0]), ("a.cls", b"cat")], "label 'cat' of a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.json", b"{")], r"a\.json is not JSON"),
        ([], "hold no samples"),
    ],
)
def test_samples_that_are_not_samples_are_refused_by_name(tmp_path: Path, members, message: str) -> None:
    write(tmp_path / "train-0.tar", *members)
    with pytest.raises(InputError, match=message):
        read(options(tmp_path))


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train-0.tar", "w:gz"):
        pass
    with pytest.raises(InputError, match="uncompressed"):
        read(options(tmp_path))
