"""Packing: the same bytes for the same input, true numbers in the index, resumed after a kill, refused when broken."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from source_tools import TOY, encoded, make_folder, noise, toy_source, tree

from pipelines.errors import InputError
from pipelines.sources import packing
from pipelines.sources.base import Sample, Source, Split, open_source
from pipelines.sources.index import load_index
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.mnist import Options as Mnist
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec


def names(tar: Path) -> list[str]:
    with tarfile.open(tar) as archive:
        return archive.getnames()


def test_two_runs_and_two_workers_give_the_same_bytes(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("again", 1), ("two", 2), ("more_than_shards", 9)):
        build_shards(toy_source(), TOY, tmp_path / name, workers)
    one = tree(tmp_path / "one")
    assert sorted(one) == [
        "index.json", "listing.json", "test-000000.tar", "test-000001.tar", *(f"train-{number:06d}.tar" for number in range(5)),
        "wids-test.json", "wids-train.json",
    ]  # fmt: skip
    for name in ("again", "two", "more_than_shards"):
        assert tree(tmp_path / name) == one


def test_headers_are_plain_ustar_with_constant_owner_and_time(tmp_path: Path) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    with tarfile.open(tmp_path / "train-000000.tar") as archive:
        for member in archive:
            header = (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode, member.type)
            assert header == (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
            assert not member.pax_headers
        assert [name.partition(".")[2] for name in archive.getnames()] == ["png", "cls"] * 5


def test_the_index_tells_the_truth(tmp_path: Path) -> None:
    index = build_shards(toy_source(), TOY, tmp_path)
    assert load_index(tmp_path) == index
    assert (index.count("train"), index.count("test")) == (23, 7)
    assert [shard.count for shard in index.splits["train"]] == [5, 5, 5, 5, 3]
    assert (index.image_size, index.uniform, index.channels, index.classes) == (6, True, 3, ("a", "b", "c"))
    order = [int(name.split("-")[2].partition(".")[0]) for path in sorted(tmp_path.glob("train*.tar"))
             for name in names(path)[::2]]  # fmt: skip
    assert sorted(order) == list(range(23))
    assert order != list(range(23))
    labels = np.array(order) % 3
    held = labels[list(index.holdout)]
    assert len(held) == round(0.25 * 23)
    assert [(held == label).sum() for label in range(3)] == [2, 2, 2]
    rest = noise(23, 6, 6, 3)[[row for position, row in enumerate(order) if position not in index.holdout]] / 255
    assert np.allclose(index.mean, rest.mean((0, 1, 2)), atol=1e-12)
    assert np.allclose(index.std, rest.std((0, 1, 2)), atol=1e-9)


def test_grey_images_stay_grey_and_have_three_equal_means(tmp_path: Path) -> None:
    index = build_shards(toy_source(shape=(6, 6)), TOY, tmp_path)
    assert index.channels == 1
    assert len(set(index.mean)) == len(set(index.std)) == 1


def test_a_limit_keeps_as_many_of_each_class_and_leaves_test_alone(tmp_path: Path) -> None:
    index = build_shards(toy_source(), TOY.model_copy(update={"limit": 9}), tmp_path)
    assert (index.count("train"), index.count("test"), index.dataset) == (9, 7, "digits-9")
    with tarfile.open(tmp_path / "train-000000.tar") as first, tarfile.open(tmp_path / "train-000001.tar") as second:
        labels = [tar.extractfile(name).read() for tar in (first, second) for name in tar.getnames() if ".cls" in name]  # type: ignore[union-attr]
    assert sorted(labels) == [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3


def test_original_bytes_are_kept_and_ids_can_be_found_in_keys(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"cat.s": 4, "dog": 3})
    build_shards(open_source(options), options, tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as archive:
        key = next(name for name in archive.getnames() if "dog_001" in name or "dog_000" in name)
        number = key.partition("dog_")[2][:3]
        assert archive.extractfile(key).read() == (tmp_path / "raw" / "dog" / f"{number}.png").read_bytes()  # type: ignore[union-attr]
        assert all(name.count(".") == 1 for name in archive.getnames())


def test_a_finished_folder_is_kept_and_other_options_are_refused(tmp_path: Path) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    build_shards(toy_source(), TOY, tmp_path)
    assert times == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    before = tree(tmp_path)
    with pytest.raises(InputError, match="holds shards of digits with other options"):
        build_shards(toy_source(), TOY.model_copy(update={"holdout": 0.5}), tmp_path)
    assert tree(tmp_path) == before


def test_a_damaged_shard_alone_is_packed_again(tmp_path: Path) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    before, times = tree(tmp_path), {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    (tmp_path / "train-000003.tar").write_bytes(before["train-000003.tar"][:2000])
    build_shards(toy_source(), TOY, tmp_path)
    assert tree(tmp_path) == before
    changed = [path.name for path in tmp_path.glob("*.tar") if path.stat().st_mtime_ns != times[path.name]]
    assert changed == ["train-000003.tar"]


def test_tars_of_somebody_else_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "train-000000.tar").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"train-000000\.tar: the folder holds a tar that is not of this stage"):
        build_shards(toy_source(), TOY, tmp_path)
    assert tree(tmp_path) == {"train-000000.tar": b"precious"}


def failing_after(reads: int, error: type[BaseException]) -> Source:
    """The toy source, whose train split raises at the given read."""
    source, done = toy_source(), []

    def read(position: int) -> Sample:
        done.append(position)
        if len(done) > reads:
            raise error("stop")
        return source.train.read(position)

    return dataclasses.replace(source, train=Split(source.train.ids, source.train.labels, read))


def test_a_stopped_run_leaves_whole_shards_and_goes_on_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_shards(toy_source(), TOY, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        build_shards(failing_after(12, KeyboardInterrupt), TOY, tmp_path / "out")
    whole = tree(tmp_path / "whole")
    assert tree(tmp_path / "out") == {name: whole[name] for name in ("train-000000.tar", "train-000001.tar")}
    packed: list[str] = []
    pack: Callable[..., object] = packing.pack
    monkeypatch.setattr(
        "pipelines.sources.shards.pack", lambda out, plan, *rest: packed.append(plan.name) or pack(out, plan, *rest)
    )
    build_shards(toy_source(), TOY, tmp_path / "out")
    assert tree(tmp_path / "out") == whole
    assert packed == ["train-000002.tar", "train-000003.tar", "train-000004.tar", "test-000000.tar", "test-000001.tar"]


SLOW = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
import dataclasses
from source_tools import TOY, toy_source
from pipelines.sources.base import Split
from pipelines.sources.shards import build_shards
toy = toy_source()
def read(position):
    time.sleep(0.05)
    return toy.train.read(position)
source = dataclasses.replace(toy, train=Split(toy.train.ids, toy.train.labels, read))
build_shards(source, TOY, Path({out!r}), {workers})
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_while_writing_leaves_nothing_half_and_the_next_run_completes(tmp_path: Path, workers: int) -> None:
    build_shards(toy_source(), TOY, tmp_path / "whole")
    whole, out = tree(tmp_path / "whole"), tmp_path / "out"
    code = SLOW.format(tests=str(Path(__file__).parents[1]), out=str(out), workers=workers)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while not ((out / "train-000000.tar").exists() and list(out.glob(".train*.part"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    visible = {name: data for name, data in tree(out).items() if not name.startswith(".")}
    assert "index.json" not in visible
    assert visible == {name: whole[name] for name in visible}
    build_shards(toy_source(), TOY, out)
    assert tree(out) == whole


def break_images(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).write_bytes((folder / path).read_bytes()[:60])


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_images_are_named_counted_and_left_out(tmp_path: Path, workers: int) -> None:
    options = make_folder(tmp_path / "raw", {"a": 20, "b": 20}).model_copy(
        update={"max_unreadable": 0.1, "per_shard": 8, "holdout": 0.5}
    )
    break_images(tmp_path / "raw", "a/003.png", "b/011.png")
    (tmp_path / "raw" / "a" / "gone.png").symlink_to("nowhere")
    index = build_shards(open_source(options), options, tmp_path / "out", workers)
    assert sorted(item["id"] for item in index.unreadable) == ["a/003.png", "a/gone.png", "b/011.png"]
    assert index.count("train") + index.count("test") == 38
    tars = sorted((tmp_path / "out").glob("train*.tar"))
    keys = [name for tar in tars for name in names(tar) if name.endswith(".png")]
    assert len(keys) == index.count("train")
    assert max(index.holdout) < len(keys)
    assert [len(names(tar)) // 2 for tar in tars] == [shard.count for shard in index.splits["train"]]


@pytest.mark.parametrize("workers", [1, 2])
def test_beyond_the_stated_share_unreadable_images_are_refused_with_names(tmp_path: Path, workers: int) -> None:
    options = make_folder(tmp_path / "raw", {"a": 20, "b": 20}).model_copy(
        update={"max_unreadable": 0.05, "per_shard": 4}
    )
    break_images(tmp_path / "raw", "a/003.png", "a/004.png", "b/011.png")
    with pytest.raises(
        InputError, match=r"3 unreadable images, dataset.max_unreadable allows 2: .*a/003\.png"
    ) as caught:
        build_shards(open_source(options), options, tmp_path / "out", workers)
    assert "b/011.png" in str(caught.value)
    assert not (tmp_path / "out" / "index.json").exists()


def test_images_of_different_sizes_need_an_image_size(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"a": 5, "b": 5})
    (tmp_path / "raw" / "a" / "000.png").write_bytes(encoded(noise(1, 9, 12, 3)[0]))
    with pytest.raises(InputError, match=r"image sizes are 12x9 \(a/000.png\), 8x8 .*set dataset.image_size"):
        build_shards(open_source(options), options, tmp_path / "out")
    sized = options.model_copy(update={"image_size": 8})
    index = build_shards(open_source(sized), sized, tmp_path / "sized")
    assert (index.image_size, index.uniform) == (8, False)


def run_stage(job: Path, dataset: object) -> subprocess.CompletedProcess[str]:
    """``python -m pipelines shards --job JOB`` on these options."""
    job.mkdir(exist_ok=True)
    spec = {"stage": "shards", "key": job.name, "inputs": {}, "spec": {"dataset": dataset}}
    (job / "spec.json").write_text(json.dumps(spec))
    command = [sys.executable, "-m", "pipelines", "shards", "--job", str(job)]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)


def test_the_stage_writes_shards_and_a_record_and_may_be_run_again(tmp_path: Path) -> None:
    planned = Job.of("digits-50", ShardsSpec(dataset=Digits(limit=50)), {})
    job = tmp_path / planned.key
    for _ in range(2):
        done = run_stage(job, {"use": "digits", "limit": 50})
        assert done.returncode == 0, done.stderr
        record = json.loads((job / "record.json").read_text())
        assert record["key"] == planned.key
        assert (record["metrics"]["data/train"], record["metrics"]["data/holdout"]) == (50, 5)
        assert load_index(job).spec == Digits(limit=50).model_dump(mode="json")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"use": "digits", "limt": 5}, "limt"),
        ({"use": "digits", "holdout": 1.5}, "holdout"),
    ],
)
def test_a_wrong_spec_is_one_message_without_a_traceback(tmp_path: Path, dataset: object, message: str) -> None:
    done = run_stage(tmp_path, dataset)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["spec.json"]


def test_images_that_are_not_there_are_one_message_without_a_traceback(tmp_path: Path) -> None:
    job = tmp_path / Job.of("mnist", ShardsSpec(dataset=Mnist()), {}).key
    done = run_stage(job, {"use": "mnist"})
    assert done.returncode == 1
    assert "mnist" in done.stderr
    assert "write it anew" not in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in job.iterdir()] == ["spec.json"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom pipelines.cli import main\n"
        "try: main(['shards', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'PIL', 'numpy', 'sklearn', 'pandas'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
