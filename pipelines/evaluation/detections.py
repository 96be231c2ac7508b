"""What a detector found in every test image, kept beside its record: of it come pictures, error lists and other scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines.files import replacing

FILE = "detections.npz"


@dataclass(frozen=True)
class Detections:
    """What a detector found in one image: boxes (D, 4) in its pixels, label (D,) int64 from 1, score (D,) in [0, 1]."""

    boxes: Tensor
    label: Tensor
    score: Tensor


def save_detections(found: Sequence[Detections], ids: Sequence[str], path: Path) -> None:
    """All detections in one compressed file: ids (m,) of images, and of each detection image (its place in ids), box (4),
    label and score. Equal detections give equal bytes."""
    counts = [len(each.label) for each in found]

    def joined(parts: list[Tensor], kind: type[np.generic]) -> Any:
        return torch.cat(parts).numpy().astype(kind)

    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            ids=np.asarray(ids, np.str_),
            image=np.repeat(np.arange(len(found), dtype=np.uint32), counts),
            box=joined([each.boxes for each in found], np.float32).reshape(-1, 4),
            label=joined([each.label for each in found], np.uint16),
            score=joined([each.score for each in found], np.float16),
        )
