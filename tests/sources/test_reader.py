"""Reading shards back: checked against the index, the same as webdataset and tarfile find, cached once."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wids
from PIL import Image
from source_tools import TOY, encoded, make_folder, noise, toy_source

from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.sources.arrays import resident, resident_bytes
from pipelines.sources.base import Sample, Source, Split, open_source
from pipelines.sources.images import open_image, square, to_array
from pipelines.sources.index import load_index
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.sources.tars import scan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_shards(toy_source(), TOY, tmp_path / "shards")
    return tmp_path / "shards"


def webdataset_samples(folder: Path, split: str) -> list[dict]:
    webdataset = pytest.importorskip("webdataset")
    urls = [str(path) for path in sorted(folder.glob(f"{split}-*.tar"))]
    return list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("pil"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_webdataset_reads_the_same_samples_in_the_same_order(folder: Path, split: str) -> None:
    arrays, samples = resident(folder, split), webdataset_samples(folder, split)
    assert len(samples) == len(arrays)
    for sample, image, label in zip(samples, arrays.images, arrays.labels):
        assert sample["cls"] == label
        assert np.array_equal(np.asarray(sample["png"]), image.transpose(1, 2, 0))


@pytest.mark.parametrize("split", ["train", "test"])
def test_wids_reads_the_same_samples_by_number(folder: Path, split: str) -> None:
    arrays = resident(folder, split)
    samples = wids.ShardListDataset(str(folder / f"wids-{split}.json"), transformations=[])
    assert len(samples) == len(arrays)
    for row in reversed(range(len(arrays))):
        sample = samples[row]
        assert int(sample[".cls"].read()) == arrays.labels[row]
        assert np.array_equal(to_array(open_image(sample[".png"].read()), 3), arrays.images[row])


def test_the_index_for_wids_counts_what_is_in_the_tars(folder: Path) -> None:
    for split, count in (("train", 23), ("test", 7)):
        about = json.loads((folder / f"wids-{split}.json").read_text())
        assert (about["__kind__"], about["wids_version"]) == ("wids-shard-index-v1", 1)
        for shard in about["shardlist"]:
            data = (folder / shard["url"]).read_bytes()
            assert (len(data), len(scan(data))) == (shard["filesize"], shard["nsamples"])
        assert sum(shard["nsamples"] for shard in about["shardlist"]) == count


def test_pixels_come_back_as_they_went_in(folder: Path) -> None:
    arrays = resident(folder, "train")
    given = {image.tobytes() for image in noise(23, 6, 6, 3)}
    assert {np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes() for image in arrays.images} == given
    shards = open_shards(folder)
    assert (shards.class_names, resident_bytes(shards)) == (("a", "b", "c"), 23 * 3 * 36)
    assert sorted([*shards.holdout, *shards.pretraining]) == list(range(23))


def captioned(count: int) -> Split:
    images, depth = noise(count, 7, 9, 3), noise(count, 7, 9, seed=3)
    samples = [
        Sample(
            f"s.{n}", encoded(image, "jpeg"), "jpg", -1, f"caption é {n}", {"depth.png": encoded(depth[n])}, {"n": n}
        )
        for n, image in enumerate(images)
    ]
    return Split([sample.id for sample in samples], np.full(count, -1), lambda position: samples[position])


def test_captions_fields_and_meta_come_back(tmp_path: Path) -> None:
    source = Source((), captioned(12), captioned(4))
    build_shards(source, TOY.model_copy(update={"image_size": 5}), tmp_path)
    index = open_shards(tmp_path).index
    assert (index.fields, index.field_channels, index.captions) == ({"depth": "depth.png"}, {"depth": 1}, True)
    arrays, samples = resident(tmp_path, "train"), webdataset_samples(tmp_path, "train")
    for row, sample in enumerate(samples):
        original = source.train.read(sample["json"]["n"])
        assert arrays.captions is not None
        assert arrays.captions[row] == sample["txt"] == original.caption
        expected = np.asarray(square(open_image(original.fields["depth.png"]), 5))
        assert np.array_equal(arrays.fields["depth"][row, 0], expected)
        assert np.array_equal(arrays.images[row].transpose(1, 2, 0), np.asarray(square(open_image(original.image), 5)))
    assert arrays.labels.tolist() == [-1] * 12


def test_the_cache_is_made_once_and_belongs_to_one_index(folder: Path) -> None:
    first = np.array(resident(folder, "train").images)
    (cache,) = folder.glob("cache-train-6-*.npy")
    stamp = cache.stat().st_mtime_ns
    mapped = resident(folder, "train").images
    mapped[:] = 0
    assert np.array_equal(resident(folder, "train").images, first)
    assert cache.stat().st_mtime_ns == stamp
    cache.write_bytes(cache.read_bytes()[:-1])
    assert np.array_equal(resident(folder, "train").images, first)
    assert resident(folder, "train", 4).images.shape == (23, 3, 4, 4)
    other = folder.parent / "other"
    build_shards(toy_source(num_train=20), TOY, other)
    for path in folder.glob("cache-*"):
        shutil.copy(path, other)
    assert len(resident(other, "train")) == 20


def test_images_larger_than_thumbnails_are_decoded_the_same(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"a": 6, "b": 6}, side=80)
    build_shards(open_source(options), options, tmp_path / "out")
    samples = webdataset_samples(tmp_path / "out", "train")
    arrays = resident(tmp_path / "out", "train")
    for sample, image in zip(samples, arrays.images, strict=True):
        assert np.array_equal(np.asarray(sample["png"]), image.transpose(1, 2, 0))


def tables(folder: Path) -> list[list]:
    """Every array of both tables; a new index's cache of them would hide where they come from."""
    found = []
    for split in ("train", "test"):
        for cache in folder.glob(f"cache-{split}-*.npz"):
            cache.unlink()
        table = open_shards(folder).table(split)
        arrays = [table.key, table.shard, table.image, table.label, *table.fields.values()]
        found.append([*(array.tolist() for array in arrays), table.captions, list(table.fields)])
    return found


@pytest.mark.parametrize("kind", ["plain", "captioned"])
def test_packing_leaves_where_samples_lie_so_that_no_tar_is_read_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = toy_source() if kind == "plain" else Source((), captioned(12), captioned(4))
    build_shards(source, TOY.model_copy(update={"image_size": 5}), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.sources.reader.scan", lambda _: pytest.fail("a tar was read"))
        noted = tables(tmp_path)
    for file in (tmp_path / ".notes").glob("*.npz"):
        file.unlink()
    assert tables(tmp_path) == noted


def test_where_samples_lie_in_other_bytes_is_not_believed(tmp_path: Path) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    expected = tables(tmp_path)
    for file in (tmp_path / ".notes").glob("train-000001*.npz"):
        file.write_bytes(b"damaged")
    assert tables(tmp_path) == expected
    (tmp_path / "index.json").unlink()
    other = toy_source(23, shape=(9, 9, 3))
    build_shards(other, TOY.model_copy(update={"max_unreadable": 0.5}), tmp_path)
    assert len(list((tmp_path / ".notes").glob("*.npz"))) == 7
    noted = tables(tmp_path)
    assert noted != expected
    for file in (tmp_path / ".notes").glob("*.npz"):
        file.unlink()
    assert tables(tmp_path) == noted


def test_two_processes_at_once_make_one_cache(folder: Path) -> None:
    code = (
        "from pathlib import Path\nfrom pipelines.sources.arrays import resident\n"
        f"print(resident(Path({str(folder)!r}), 'train').images.sum())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sums = {int(process.communicate()[0]) for process in running}
    assert sums == {int(noise(23, 6, 6, 3).sum())}
    assert not list(folder.glob(".*.part"))


def damage(folder: Path, kind: str) -> None:
    path = folder / "train-000002.tar"
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(data[:1024])
    elif kind == "flipped":
        path.write_bytes(data[:600] + bytes([data[600] ^ 1]) + data[601:])
    elif kind == "count":  # checksums that fit, but a sample too few: an index that lies
        index = json.loads((folder / "index.json").read_text())
        path.write_bytes(data[: scan(data)[3].image[0] - 512] + bytes(1024))
        index["splits"]["train"][2] |= {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        del index["checksum"]
        (folder / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "the index lists it, but there is no such file"),
        ("cut", "1024 bytes, the index says 20480"),
        ("flipped", "SHA-256 is [0-9a-f]{64}, the index says [0-9a-f]{64}"),
        ("count", "index lists 5 samples, tar holds 3"),
    ],
)
@pytest.mark.parametrize("use", ["resident", "verify"])
def test_a_damaged_shard_is_named_with_numbers_and_the_way_out(folder: Path, kind: str, message: str, use: str) -> None:
    damage(folder, kind)
    with pytest.raises(InputError, match=message) as caught:
        resident(folder, "train") if use == "resident" else (
            open_shards(folder).verify("train"),
            open_shards(folder).table("train"),
        )
    assert "train-000002.tar" in str(caught.value)
    assert f"rebuild it with: python -m pipelines shards --job {folder}" in str(caught.value)
    assert not list(folder.glob("cache-train-*.npy"))
    if kind != "missing" and kind != "cut":
        assert len(resident(folder, "test")) == 7


def test_an_unfinished_folder_and_a_strange_index_are_refused(folder: Path) -> None:
    text = (folder / "index.json").read_text()
    for damaged, message in (
        ("{", "not valid JSON"),
        ("[]", "must hold a JSON object, got list"),
        ("{}", "not an index"),
        (text.replace('"version":1', '"version":9'), "checksum does not fit"),
        (text.replace('"checksum":', '"chequesum":'), "chequesum"),
        (json.dumps({"version": 9}), "version 9"),
    ):
        (folder / "index.json").write_text(damaged)
        with pytest.raises(InputError, match=message):
            open_shards(folder)
    (folder / "index.json").unlink()
    with pytest.raises(InputError, match="these shards are not finished"):
        open_shards(folder)


def test_a_colour_image_among_grey_ones_makes_all_three_channels(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"a": 6, "b": 6})
    Image.fromarray(noise(1, 8, 8)[0]).save(tmp_path / "raw" / "a" / "000.png")
    build_shards(open_source(options), options, tmp_path / "out")
    assert resident(tmp_path / "out", "train").images.shape[1] == 3


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are hashed from now on."""
    hashed: list[str] = []
    monkeypatch.setattr(
        "pipelines.sources.reader.sha256_file", lambda path: hashed.append(path.name) or sha256_file(path)
    )
    return hashed


def test_tars_are_hashed_once_and_again_when_they_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".checked.json").unlink()
    hashed, names = counting(monkeypatch), [shard.name for shard in load_index(folder).splits["train"]]
    for _ in range(3):  # three processes, as far as the set of shards knows
        open_shards(folder).verify("train")
    assert sorted(hashed) == names
    touched = folder / names[1]
    os.utime(touched, ns=(0, 0))
    open_shards(folder).verify("train")
    assert sorted(hashed[len(names) :]) == names
    damage(folder, "flipped")
    with pytest.raises(InputError, match="its bytes changed"):
        open_shards(folder).verify("train")


def test_what_packing_has_hashed_is_not_hashed_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = counting(monkeypatch)
    open_shards(folder).verify("train")
    assert not hashed


@pytest.mark.parametrize("text", ["{", "[]", '{"train-000002.tar": "x"}'])
def test_a_damaged_memory_of_what_was_hashed_is_made_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (folder / ".checked.json").write_text(text)
    hashed = counting(monkeypatch)
    open_shards(folder).verify("train")
    assert "train-000002.tar" in hashed
    assert len(json.loads((folder / ".checked.json").read_text())) == len(load_index(folder).splits["train"])


def test_shards_in_a_folder_that_cannot_be_written_are_hashed_every_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".checked.json").unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    hashed, count = counting(monkeypatch), len(load_index(folder).splits["train"])
    for _ in range(2):
        open_shards(folder).verify("train")
    assert len(hashed) == 2 * count
    assert not (folder / ".checked.json").exists()


def test_a_disk_too_full_to_remember_loses_nothing_but_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".checked.json").unlink()
    real = Path.replace

    def full(path: Path, target: Path) -> Path:
        if Path(target).name == ".checked.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", full)
    open_shards(folder).verify("train")
    assert not (folder / ".checked.json").exists()
