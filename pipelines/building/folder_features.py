"""Features of a folder of images that no study planned, a part at a time, so that a stopped run goes on where it was."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.advice import typed
from pipelines.batch import Batch
from pipelines.building.features import EvaluatedEncoder, foreign_source, trained_source
from pipelines.building.methods import Pretrained
from pipelines.errors import InputError
from pipelines.files import digest, read_json, replacing, write_json
from pipelines.listing.folders import images_below
from pipelines.listing.kinds import ARRAYS, EXTENSIONS, Skipped
from pipelines.randomness import generator
from pipelines.records import FILE, read_record
from pipelines.sources.images import Decoding, Unreadable
from pipelines.sources.whole import whole
from pipelines.spec.encoders.checkpoint import Options as Checkpoint
from pipelines.spec.jobs import Foreign
from pipelines.spec.layout import SPEC

PART = 1024
"""Images embedded before the next part is kept."""
DECODING = Decoding(orientation="respect", alpha="white")
"""As folders of images are packed, unless a study says otherwise."""
MADE_FROM = b"made_from"
"""Key of the file's metadata that says which weights and which images it is of."""


@dataclass(frozen=True)
class Weights:
    """An encoder with the form of its images, and the SHA-256 of its file."""

    source: EvaluatedEncoder
    sha256: str

    @classmethod
    def at(cls, path: Path) -> "Weights":
        """Of a finished pretraining's folder, or of an export. InputError when it is neither."""
        if (path / FILE).exists():
            record = read_record(path)
            if record.stage != "pretrain" or "encoder" not in record.files:
                raise InputError(
                    f"{path}: is a job of stage {record.stage}; name the folder of a pretraining or an export"
                )
            return cls(trained_source(Pretrained.left(path)), record.files["encoder"].sha256)
        if (path / SPEC).exists():
            raise InputError(f"{path}: is not finished; run: {typed('pretrain', '--job', path)}")
        try:
            known = Checkpoint(path=str(path)).known()
        except InputError as error:
            raise InputError(f"{path}: is neither an export nor a finished pretraining: {error}") from None
        return cls(foreign_source(Foreign(encoder=known)), str(known.sha256))


@dataclass(frozen=True)
class Embedded:
    """How many images have features, and the ones that could not be read, with the reasons."""

    images: int
    unreadable: tuple[str, ...]


def embed_folder(weights: Path, folder: Path, to: Path, device: torch.device, say: Callable[[str], None]) -> Embedded:
    """Write ``to``, a Parquet file with columns id (path in the folder) and features (float32, one list an image).

    What cannot be read is left out. Parts stay beside ``to`` until all are there. InputError where there is no image, or
    ``to`` is of other weights or images; it is then left as it was.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name one with images in it")
    found = Weights.at(weights)
    arrays = ARRAYS if found.source.wanted.decoding.channels else frozenset[str]()
    files = images_below(folder, folder, Skipped(), EXTENSIONS | arrays)
    if not files:
        raise InputError(f"{folder}: has no image in it, at any depth; name a folder with images")
    listed = [(str(file.relative_to(folder)), file.stat().st_size) for file in files]
    made_from = digest({"weights": found.sha256, "images": listed}, 16)
    if to.exists():
        _check(to, made_from)
        say(f"{to}: done already")
        return Embedded(pq.read_metadata(to).num_rows, ())
    parts = _parts(to, made_from, say)
    clock, starts = time.perf_counter(), range(0, len(files), PART)
    for count, start in enumerate(starts):
        part, chunk = parts / f"{count:06d}.parquet", files[start : start + PART]
        if not part.exists():
            _write_part(part, chunk, folder, found.source, device)
            seconds = time.perf_counter() - clock
            say(f"{start + len(chunk)} of {len(files)} images, {seconds:.0f} s")
    return _join(parts, to, made_from)


def _check(to: Path, made_from: str) -> None:
    try:
        metadata = pq.read_schema(to).metadata or {}
    except (pa.ArrowException, OSError):
        metadata = {}
    if metadata.get(MADE_FROM) != made_from.encode():
        raise InputError(f"{to}: exists, and is not the features of these images by these weights; name another file")


def _parts(to: Path, made_from: str, say: Callable[[str], None]) -> Path:
    """The folder of the parts; those of other weights or images are thrown away."""
    parts = to.with_name(f"{to.name}.parts")
    about = parts / "about.json"
    if about.exists() and read_json(about) == {"made_from": made_from}:
        say(f"going on with {len(list(parts.glob('*.parquet')))} parts of {PART} images that are there")
        return parts
    shutil.rmtree(parts, ignore_errors=True)
    write_json(about, {"made_from": made_from})
    return parts


def _write_part(part: Path, files: list[Path], folder: Path, source: EvaluatedEncoder, device: torch.device) -> None:
    wanted = source.wanted
    side, channels = wanted.image_size, wanted.channels
    decoding = replace(DECODING, channels=wanted.decoding.channels, value_range=wanted.decoding.value_range)
    with ThreadPoolExecutor(4) as pool:  # decoding lets other threads run
        pixels = list(pool.map(lambda file: _pixels(file, decoding, side, channels), files))
    good = [(file, each) for file, each in zip(files, pixels) if not isinstance(each, str)]
    bad = [f"{file.relative_to(folder)} ({each})" for file, each in zip(files, pixels) if isinstance(each, str)]
    images = torch.from_numpy(np.stack([each for _, each in good])) if good else torch.empty(0, channels, side, side)
    rows = _features(source, images, device).numpy() if good else np.empty((0, 0), np.float32)
    ids = [file.relative_to(folder).as_posix() for file, _ in good]
    table = pa.table({"id": pa.array(ids, pa.string()), "features": _lists(rows)})
    with replacing(part) as beside:
        pq.write_table(table.replace_schema_metadata({b"unreadable": "\n".join(bad).encode()}), beside)


def _lists(rows: NDArray[np.float32]) -> Any:
    """(n, F) as n lists of F."""
    values = pa.array(rows.reshape(-1), pa.float32())
    return pa.ListArray.from_arrays(pa.array(np.arange(len(rows) + 1) * rows.shape[1], pa.int32()), values)


def _pixels(file: Path, decoding: Decoding, side: int, channels: int) -> NDArray[np.uint8] | str:
    """(channels, side, side), or why it cannot be read."""
    try:
        return whole(file.read_bytes(), decoding, side, channels)
    except (Unreadable, OSError) as error:
        return str(error)


def _features(source: EvaluatedEncoder, images: Tensor, device: torch.device) -> Tensor:
    make, unused = source.wanted.maker(), generator(0, "plain", device=device)
    nothing = torch.zeros(len(images), dtype=torch.int64)

    def views() -> Any:
        for rows, index in zip(images.split(256), nothing.split(256)):
            yield make(Batch(rows.to(device), index, index), unused)[0]

    return source.embed(device)(views())


def _join(parts: Path, to: Path, made_from: str) -> Embedded:
    """All parts as one file, one at a time in memory."""
    bad: list[str] = []
    rows = 0
    writer: Any = None
    with replacing(to) as beside:
        for part in sorted(parts.glob("*.parquet")):
            table = pq.read_table(part)
            told = (table.schema.metadata or {}).get(b"unreadable", b"").decode()
            bad += told.split("\n") if told else []
            table = table.replace_schema_metadata({MADE_FROM: made_from.encode()})
            writer = writer or pq.ParquetWriter(beside, table.schema)
            writer.write_table(table)
            rows += table.num_rows
        writer.close()
    shutil.rmtree(parts)
    return Embedded(rows, tuple(bad))
