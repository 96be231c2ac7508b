"""Frozen features of a data set: computed once for each (weights, data set), read by every protocol."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.errors import DamagedFile, InputError
from pipelines.files import CHECKSUM, canonical, replacing
from pipelines.kernels import exact_kernels

IN_MEMORY = 2 * 2**30
"""Bytes of features of a split that are held in memory; more are written to a file and mapped."""
CHUNK = 2**26
"""Numbers looked at once where all have to be finite."""
REMAKE = "delete the file: the next evaluation embeds anew"


@dataclass(frozen=True)
class Features:
    """Features and labels of one data set.

    train        (n, F) float32, rows of the whole train split, the held-out slice included
    train_label  (n,) int64 in 0 .. num_classes - 1
    holdout      (h,) int64, distinct positions into train kept for choosing; may be empty
    test         (m, F) float32
    test_label   (m,) int64
    num_classes  at least 2
    columns      which columns each of several features has, [first, end); empty: all are the pooled one
    """

    train: Tensor
    train_label: Tensor
    holdout: Tensor
    test: Tensor
    test_label: Tensor
    num_classes: int
    columns: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def fit(self) -> Tensor:
        """(n - h,) int64: the positions of train outside the held-out slice, in order."""
        kept = torch.ones(len(self.train), dtype=torch.bool, device=self.train.device)
        kept[self.holdout] = False
        return kept.nonzero().squeeze(1)

    @property
    def bytes(self) -> int:
        """Of the rows of both splits."""
        return self.train.nbytes + self.test.nbytes

    def to(self, device: torch.device | str) -> "Features":
        """The same on a device."""
        moved = {name: getattr(self, name).to(device) for name in TENSORS}
        return Features(**moved, num_classes=self.num_classes, columns=self.columns)

    def check(self) -> None:
        """InputError when something is not as the class says."""
        _check(self, "features")

    def save(self, path: Path, made_from: str = "", ids: Mapping[str, NDArray[np.bytes_]] | None = None) -> None:
        """Write to a safetensors file in one move. InputError when something is not as the class says.

        made_from: names what they were made from; ``load`` asks for it. ids: of the images by split (n,), for readers
        elsewhere: kept as train_id and test_id, (n, L) uint8, the bytes of each name and zeros up to the longest.
        """
        self.check()
        rows = {name: getattr(self, name).detach().cpu().contiguous() for name in TENSORS}
        for split, names in (ids or {}).items():
            assert len(names) == len(rows[split]), "a name for every row"
            rows[f"{split}_id"] = torch.from_numpy(names.view(np.uint8).reshape(len(names), -1).copy())
        with replacing(path) as part:
            about = {"num_classes": str(self.num_classes), MADE_FROM: made_from}
            about |= {COLUMNS: json.dumps(self.columns)} if self.columns else {}
            save_file(rows, part, metadata={**about, CHECKSUM: _checksum(rows, about)})

    @staticmethod
    def load(path: Path, made_from: str = "") -> "Features":
        """Read what ``save`` wrote; DamagedFile names the file and what is missing, superfluous or wrong in it.

        Also where it does not fit its own checksum, or what it was made from does not begin with ``made_from``.
        """
        found, metadata = _read(path)
        rows = {name: value for name, value in found.items() if name not in IDS}
        if set(rows) != set(TENSORS) or not metadata.get("num_classes", "").isdigit():
            raise DamagedFile(
                f"{path}: holds {sorted(rows)} with metadata {metadata}, but features are {sorted(TENSORS)} with "
                f"num_classes; {REMAKE}"
            )
        columns = {name: (first, end) for name, (first, end) in json.loads(metadata.get(COLUMNS, "{}")).items()}
        features = Features(**rows, num_classes=int(metadata["num_classes"]), columns=columns)
        _check(features, str(path))
        if metadata.pop(CHECKSUM, None) != _checksum(found, metadata):
            raise DamagedFile(f"{path}: {CHECKSUM} does not fit the rest, so something in it was changed; {REMAKE}")
        if not metadata.get(MADE_FROM, "").startswith(made_from):
            raise DamagedFile(f"{path}: was made from other weights, images or code; {REMAKE}")
        return features


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, and its metadata."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DamagedFile(f"{path}: not a readable features file ({error}); {REMAKE}") from None


def _checksum(rows: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and bytes, and of what is said about them."""
    found = hashlib.sha256(canonical(dict(about)).encode())
    for name, value in sorted(rows.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        found.update(value.contiguous().numpy().data)
    return found.hexdigest()


MADE_FROM = "made_from"
"""Key of a file's metadata that names what the features were made from."""
COLUMNS = "columns"
"""Of the metadata too, where there are several features."""
IDS = ("train_id", "test_id")
"""What a file may hold beside the features: which image each row is of."""
TENSORS = tuple(entry.name for entry in fields(Features) if entry.name not in ("num_classes", "columns"))


def not_finite(rows: Tensor) -> int:
    """How many of rows (n, ...) hold NaN or infinity."""
    if not rows.numel():
        return 0
    parts = rows.flatten(1).split(max(1, CHUNK * len(rows) // rows.numel()))
    return sum(int((~part.isfinite()).any(1).sum()) for part in parts)


def _check(features: Features, where: str) -> None:
    """InputError unless types, shapes and ranges are those of ``Features``, and every feature is finite."""
    for rows, label in (("train", "train_label"), ("test", "test_label")):
        row, number = getattr(features, rows), getattr(features, label)
        if row.dtype != torch.float32 or row.dim() != 2 or number.dtype != torch.int64 or number.shape != row.shape[:1]:
            raise InputError(
                f"{where}: {rows} is {row.dtype} {tuple(row.shape)} and {label} {number.dtype} {tuple(number.shape)}; "
                "they have to be float32 (n, F) and int64 (n,)"
            )
        if len(number) and not 0 <= int(number.min()) <= int(number.max()) < features.num_classes:
            raise InputError(
                f"{where}: {label} runs from {int(number.min())} to {int(number.max())}; labels of "
                f"{features.num_classes} classes lie in 0 .. {features.num_classes - 1} (leave unlabelled rows out)"
            )
        if bad := not_finite(row):
            raise InputError(f"{where}: {bad} of {len(row)} rows of {rows} hold NaN or infinity; did training diverge?")
    if features.train.shape[1] != features.test.shape[1] or not len(features.train) or not len(features.test):
        raise InputError(
            f"{where}: train {tuple(features.train.shape)} and test {tuple(features.test.shape)} need rows, "
            "of the same width"
        )
    holdout = features.holdout
    inside = holdout.dtype == torch.int64 and ((holdout >= 0) & (holdout < len(features.train))).all()
    if not inside or len(holdout.unique()) != len(holdout) or len(holdout) >= len(features.train):
        raise InputError(f"{where}: holdout has to be distinct positions into train that leave rows to fit on")


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Every part of ``module`` in eval mode, with exact kernels, and each back in its own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with exact_kernels():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


@torch.no_grad()
def pooled_features(
    encoder: Encoder,
    batches: Iterable[Tensor],
    device: torch.device | str,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Tensor:
    """(n, width) float32 on the CPU: the encoder's pooled feature of every image, in order, in eval mode.

    batches: normalised float images (N, C, H, W), of any N. precision: bfloat16 runs under autocast. The encoder has to be
    on ``device``; its weights, statistics and modes are left as they were.
    """
    rows = list(pooled_parts(encoder, batches, device, precision))
    return torch.cat(rows) if rows else torch.empty(0, encoder.width)


def pooled_parts(
    encoder: Encoder,
    batches: Iterable[Tensor],
    device: torch.device | str,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Iterator[Tensor]:
    """What ``pooled_features`` puts together, batch by batch."""
    kind = torch.device(device).type
    for images in batches:
        with (
            torch.no_grad(),
            evaluating(encoder),
            torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"),
        ):
            rows = encoder(images.to(device, non_blocking=True)).float().cpu()
        yield rows


def pixel_parts(batches: Iterable[Tensor], side: int = 32) -> Iterator[Tensor]:
    """(N, C h w) float32 on the CPU, batch by batch: the pixels themselves, the floor that every encoder has to beat.

    batches: float images (N, C, H, W). Larger images are averaged down to ``side`` pixels a side, smaller ones kept.
    """
    for images in batches:
        size = (min(side, images.shape[-2]), min(side, images.shape[-1]))
        yield F.adaptive_avg_pool2d(images.float(), size).flatten(1).cpu()


def gathered(parts: Iterable[Tensor], wanted: Tensor, scratch: Path | None) -> Tensor:
    """The wanted rows of all parts (n, F), one after the other: in memory, or above ``IN_MEMORY`` bytes in a file without a
    name in the folder ``scratch``, mapped, which is gone when nothing holds the rows any more.

    wanted: (m,) bool, which of the parts' rows; as many as all parts have.
    """
    kept: Tensor | None = None
    count, seen, done = int(wanted.sum()), 0, 0
    for part in parts:
        rows = part[wanted[seen : seen + len(part)]]
        kept = _room(count, part.shape[1], scratch) if kept is None else kept
        kept[done : done + len(rows)] = rows
        seen, done = seen + len(part), done + len(rows)
    assert (seen, done) == (len(wanted), count), "a row for every image"
    return torch.empty(0, 0) if kept is None else kept


def _room(count: int, width: int, scratch: Path | None) -> Tensor:
    if scratch is None or 4 * count * width <= IN_MEMORY:
        return torch.empty(count, width)
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".rows-") as file:
        os.posix_fallocate(file.fileno(), 0, 4 * count * width)  # a disk that is full now would end the process later
        return torch.from_file(file.name, shared=True, size=count * width).view(count, width)
