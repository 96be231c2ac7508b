"""Tars from elsewhere: over HTTP, from object stores, by a command, through a cache; always as the index says, or refused."""

import functools
import http.server
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from source_tools import TOY, toy_source

from pipelines.batch import Batch
from pipelines.errors import EnvironmentFault, InputError
from pipelines.sources import openers
from pipelines.sources.index import load_index
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.sequential import Sequential
from pipelines.sources.shards import build_shards
from pipelines.spec.reading import ALLOW_PIPE, Reading


class Server(http.server.ThreadingHTTPServer):
    """A folder over HTTP, which notes what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path.strip("/"))
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_shards(toy_source(43), TOY.model_copy(update={"per_shard": 10}), tmp_path / "shards")
    return tmp_path / "shards"


@pytest.fixture
def afar(folder: Path, tmp_path: Path) -> Path:
    """The tars somewhere else."""
    (tmp_path / "afar").mkdir()
    for path in folder.glob("train-*.tar"):
        (tmp_path / "afar" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "afar"


@pytest.fixture
def server(afar: Path) -> Iterator[Server]:
    with Server(afar) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def read(folder: Path, workers: int = 0, **reading: object) -> list[Batch]:
    """Two epochs of batches of four: four streams."""
    how = Reading.model_validate({"order": "sequential", "buffer": 3, **reading})
    data = Sequential(open_shards(folder), Order(batch_size=4, seed=1), how, workers=workers)
    try:
        return [batch for epoch in (0, 1) for batch in data.epoch(epoch)]
    finally:
        data.close()


def same(ones: list[Batch], others: list[Batch]) -> bool:
    pairs = list(zip(ones, others, strict=True))
    return bool(pairs) and all(
        torch.equal(one.images, other.images) and torch.equal(one.index, other.index)  # type: ignore[arg-type]
        for one, other in pairs
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_http_gives_the_batches_of_the_folder(folder: Path, server: Server, workers: int) -> None:
    assert same(read(folder, workers, address=server.address), read(folder))
    names = {shard.name for shard in load_index(folder).splits["train"]}
    assert set(server.asked) == names
    assert len(server.asked) > 2 * len(names) - 2


def test_a_cache_fetches_each_tar_once_and_serves_the_next_run(folder: Path, server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert same(read(folder, address=f"{server.address}/{{name}}", cache=str(cache)), read(folder))
    shards = load_index(folder).splits["train"]
    assert sorted(server.asked) == [shard.name for shard in shards]
    kept = {path.name: path.read_bytes() for path in (cache / "tars").iterdir()}
    assert kept == {f"{shard.sha256[:16]}-{shard.name}": (folder / shard.name).read_bytes() for shard in shards}
    server.shutdown()
    server.server_close()
    assert same(read(folder, 2, address=server.address, cache=str(cache)), read(folder))


def test_a_cache_is_kept_to_its_size_and_leaves_other_files_alone(folder: Path, server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "thesis.txt").write_text("mine")
    size = max(shard.bytes for shard in load_index(folder).splits["train"])
    room = 2.5 * size / 2**30
    assert same(read(folder, address=server.address, cache=str(cache), cache_gib=room), read(folder))
    assert 0 < sum(path.stat().st_size for path in (cache / "tars").iterdir()) <= 2.5 * size
    assert (cache / "thesis.txt").read_text() == "mine"
    assert len(server.asked) > len(load_index(folder).splits["train"])


def test_a_cache_without_an_address_copies_from_the_folder(folder: Path, tmp_path: Path) -> None:
    assert same(read(folder, cache=str(tmp_path / "cache")), read(folder))
    assert len(list((tmp_path / "cache" / "tars").iterdir())) == len(load_index(folder).splits["train"])


def test_another_folder_is_compared_with_the_index_before_it_is_read(folder: Path, afar: Path) -> None:
    assert same(read(folder, address=str(afar)), read(folder))
    damage(afar, "label")
    with pytest.raises(InputError, match=r"afar/train-000001\.tar: SHA-256 is"):
        Sequential(
            open_shards(folder), Order(batch_size=4, seed=1), Reading(order="sequential", address=str(afar)), workers=0
        )


def damage(folder: Path, kind: str) -> None:
    path = folder / "train-000001.tar"
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "cut in a member":
        path.write_bytes(data[:700])
    elif kind == "cut between samples":  # no reader of tars complains
        path.write_bytes(data[:4096])
    elif kind == "cut after the last sample":
        path.write_bytes(data[:-512])
    elif kind in ("header", "image", "label"):
        position = {"header": data.index(b"\x89PNG") - 400, "image": data.index(b"\x89PNG") + 50, "label": 1536}[kind]
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
    elif kind == "another":
        path.write_bytes((folder / "train-000000.tar").read_bytes())


DIFFERS = r"bytes with SHA-256 [0-9a-f]{64}, the index says \d+ bytes with [0-9a-f]{64}"
MESSAGES = {
    "missing": (EnvironmentFault, r"cannot be read \(curl ended with status 22\)"),
    "cut in a member": (InputError, DIFFERS),
    "cut between samples": (InputError, rf"sample \d+-train-\d+ is not where the index has it|{DIFFERS}"),
    "cut after the last sample": (InputError, DIFFERS),
    "header": (InputError, DIFFERS),
    "label": (InputError, DIFFERS),  # an own reader takes labels from the index: the checksum alone tells
    "another": (InputError, rf"sample \d+-train-\d+ is not where the index has it|{DIFFERS}"),
    "image": (InputError, rf"sample \d+-train-\d+: .*broken data stream|{DIFFERS}"),
}


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_tar_is_told_by_its_address(
    folder: Path, afar: Path, server: Server, tmp_path: Path, kind: str, cached: bool, workers: int
) -> None:
    damage(afar, kind)
    error, message = MESSAGES[kind]
    if cached and kind != "missing":  # a cache compares before anybody looks inside
        message = DIFFERS
    with pytest.raises(error, match=message) as caught:
        read(folder, workers, address=server.address, **({"cache": str(tmp_path / "cache")} if cached else {}))
    assert str(caught.value).startswith(f"{server.address}/train-000001.tar: ")
    assert "Traceback" not in str(caught.value)
    if cached:
        left = [path.name for path in (tmp_path / "cache" / "tars").iterdir()]
        assert not [name for name in left if name.endswith(("train-000001.tar", ".part"))]


def test_a_full_disk_is_no_fault_of_the_address(
    folder: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full takes no byte; the part file of the cache is made to be that."""
    real = Path.open

    def full(path: Path, mode: str = "r", *given: object, **named: object):
        return real(Path("/dev/full") if path.name.endswith(".part") and "w" in mode else path, mode, *given, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EnvironmentFault, match="could not be written") as caught:
        read(folder, address=server.address, cache=str(tmp_path / "cache"))
    assert server.address not in str(caught.value)


def test_a_pipe_runs_only_where_the_person_at_the_machine_allows_it(
    folder: Path, afar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(order="sequential", address=f"pipe:cat {afar}/{{name}}")
    monkeypatch.delenv(ALLOW_PIPE, raising=False)
    with pytest.raises(ValueError, match=f"runs a command of the study's on this machine.*{ALLOW_PIPE}=1"):
        reading.check()
    monkeypatch.setenv(ALLOW_PIPE, "1")
    reading.check()
    assert same(read(folder, address=reading.address), read(folder))
    damage(afar, "missing")
    with pytest.raises(EnvironmentFault, match=r"cannot be read \(cat .*/train-000001\.tar ended with status 1\)"):
        read(folder, address=reading.address)


def test_a_server_that_stops_sending_is_told_and_not_waited_for_for_ever(
    folder: Path, afar: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first bytes of a tar come, and then none any more."""
    monkeypatch.setenv(ALLOW_PIPE, "1")
    monkeypatch.setattr(openers, "TOLD_EVERY", 0.1)
    monkeypatch.setattr(openers, "SILENCE", 0.3)
    address = f"pipe:head -c 700 {afar}/{{name}}; exec sleep 60"
    start = time.monotonic()
    with pytest.raises(
        EnvironmentFault, match=r"train-\d+\.tar; exec sleep 60: cannot be read \(nothing came for 0\.3"
    ):
        read(folder, address=address)
    assert time.monotonic() - start < 30
    assert re.findall(r"train-\d+\.tar; exec sleep 60: nothing came for (\S+) seconds", capsys.readouterr().err) == [
        "0.1",
        "0.2",
    ]


def test_s3_goes_through_the_aws_command(
    folder: Path, afar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the command that knows one bucket; nothing of the address reaches a shell."""
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ntest "$1 $2 $3 $5" = "s3 cp --only-show-errors -" || exit 9\n'
        f'case "$4" in "s3://bucket/some dir/"*) cat "{afar}/${{4##*/}}";; *) exit 8;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert same(read(folder, address="s3://bucket/some dir/"), read(folder))
    with pytest.raises(EnvironmentFault, match=r"s3://bucket/\$\(id\)/train-\d+\.tar: .*aws ended with status 8"):
        read(folder, address="s3://bucket/$(id)")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match=r"cannot be read \(No such file or directory"):
        read(folder, address="s3://bucket/some dir/")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("gopher://host/x", "there is no way to read gopher: addresses; known are http, https, s3"),
        ("https://me:secret@host/x", "records would show the password or signature"),
        ("https://host/x/{name}?signature=abc", "records would show the password or signature"),
        ("pipe:cat all.tar", re.escape("a pipe: command has to say {name}")),
    ],
)
def test_addresses_that_cannot_be_are_refused(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reading(order="sequential", address=address)


@pytest.mark.parametrize("given", [{"address": "/data"}, {"cache": "/scratch"}])
def test_random_reading_takes_no_address(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} belongs to order sequential"):
        Reading.model_validate(given)
