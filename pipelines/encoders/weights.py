"""Weights read from files, and loaded strictly.

safetensors, or PyTorch's own format read with weights_only: no code in a file is ever run. Whose names they bear:
``spec.weight_names``.
"""

import argparse
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.spec.weight_names import listed

Weights = dict[str, Tensor]
"""Name -> value."""

CLASSIFIERS = ("fc.", "head.", "heads.", "classifier.", "last_linear.")
"""What the names of a classifier, or of a projection in its place, begin with."""


def read_weights(path: Path) -> Any:
    """What a file holds. InputError when it cannot be read, or holds anything but data."""
    try:
        if path.suffix == ".safetensors" or not _is_torch(path):
            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # the settings in DINO's and MAE's files
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = re.search(r"Unsupported (?:global|class|operand)[^\n]*|GLOBAL [\w.]+", str(error))
        raise InputError(
            f"{path}: holds code or objects, not weights alone ({reason.group() if reason else 'refused by torch'}), and "
            "code in files is not run; save its state dict as safetensors where you trust it"
        ) from None
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())}); fetch the file anew") from None


def _is_torch(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2)[:2] in (b"PK", b"\x80\x02")


def load_strictly(encoder: nn.Module, weights: Weights, where: str) -> None:
    """Load all of an encoder's weights; a classifier that it does not have is left out.

    InputError lists what is missing, what is too much and what has another shape; the encoder is then as it was.
    """
    wanted = encoder.state_dict()
    given = _fitting(weights, wanted)
    missing, extra = [name for name in wanted if name not in given], [name for name in given if name not in wanted]
    shapes = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    if missing or extra:
        raise InputError(
            f"{where}: the weights are of another architecture; missing: {listed(missing)}; "
            f"too much: {listed(extra)}; mend architecture or format"
        )
    if shapes:
        raise InputError(
            f"{where}: the weights have other shapes than the encoder: {listed(shapes)}; mend its width, "
            "stem, patch or image_size"
        )
    if bad := [name for name, value in given.items() if value.is_floating_point() and not bool(value.isfinite().all())]:
        raise InputError(f"{where}: not finite: {listed(bad)}; the training that left it diverged")
    encoder.load_state_dict(given, strict=True)


def _fitting(weights: Weights, wanted: Weights) -> Weights:
    """Under the names that our shell around timm's models gives, where it is one, and without a classifier."""
    shell = "model." if all(name.startswith("model.") for name in wanted) else ""
    given = {f"{shell}{name.removeprefix(shell)}": value for name, value in weights.items()}
    unwanted = tuple(f"{shell}{name}" for name in CLASSIFIERS)
    return {name: value for name, value in given.items() if name in wanted or not name.startswith(unwanted)}
