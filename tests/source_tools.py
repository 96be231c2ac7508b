"""Small data sets for the tests of shards and loaders."""

import io
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipelines.sources.base import Source, array_split
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def noise(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """(count, *shape) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def toy_source(num_train: int = 23, num_test: int = 7, shape: tuple[int, ...] = (6, 6, 3)) -> Source:
    """Three classes of noise."""
    train, test = noise(num_train, *shape), noise(num_test, *shape, seed=1)
    labels = np.arange(num_train + num_test) % 3
    return Source(
        ("a", "b", "c"), array_split("train", train, labels[:num_train]), array_split("test", test, labels[num_train:])
    )


TOY = Digits(per_shard=5, holdout=0.25)
"""Options that fit ``toy_source``: five train shards, two of test."""


def encoded(image: np.ndarray, kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def make_folder(root: Path, classes: dict[str, int], side: int = 8, seed: int = 0) -> ImageFolder:
    """PNG files root/CLASS/NUMBER.png, ``classes[CLASS]`` of each; the options that read them."""
    for number_of_class, (name, count) in enumerate(classes.items(), seed):
        (root / name).mkdir(parents=True)
        for number, image in enumerate(noise(count, side, side, 3, seed=number_of_class)):
            (root / name / f"{number:03d}.png").write_bytes(encoded(image))
    return ImageFolder(name="toy", folder=str(root))


def cut_two(image: Tensor, generator: torch.Generator) -> list[Tensor]:
    """A crop of 4 x 4 at a random place, and the corner of 2 x 2."""
    top, left = torch.randint(0, 3, (2,), generator=generator).tolist()
    return [image[:, top : top + 4, left : left + 4], image[:, :2, :2]]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes, without the hidden ones: locks, and times of change."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


def image(path: Path, seed: int = 0, side: int = 8, kind: str = "png") -> Path:
    """A file with one image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(noise(1, side, side, 3, seed=seed)[0], kind))
    return path


def write_idx(path: Path, array: np.ndarray, magic: bytes | None = None) -> None:
    header = magic or bytes([0, 0, 8, array.ndim])
    path.write_bytes(header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())
