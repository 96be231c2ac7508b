"""Weights from files of several origins, by the names that our encoders give them.

safetensors, or PyTorch's own format read with weights_only: no code in a file is ever run. Sources of the names are the
released checkpoints and code of torchvision, timm, MoCo v1 to v3, SwAV, DINO and MAE.
"""

import argparse
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipelines.encoders import vit_names
from pipelines.errors import InputError

Weights = dict[str, Tensor]
"""Name -> value."""

INSIDE = ("state_dict", "model", "teacher", "student")
"""Keys under which released files keep the weights, beside optimizers and settings; the first there is counts."""
BRANCHES = {
    "moco": ("encoder_q.", "base_encoder."),
    "dino": ("backbone.",),
}
"""Format -> what the names of the wanted network begin with, where a file holds several."""
OTHERS = {
    "moco": ("encoder_k.", "momentum_encoder.", "predictor.", "queue"),
    "dino": ("head.",),
    "swav": ("projection_head.", "prototypes."),
    "mae": ("decoder_", "mask_token", "head."),
    "torchvision": (),
    "timm": (),
    "export": (),
}
"""Format -> what else such files hold that is no part of the encoder."""
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


def encoder_weights(found: Any, form: str, where: str) -> Weights:
    """The encoder's part of what a file of a format holds, by our names; a classifier may still be there."""
    weights = _without_wrappers(_inside(found, where))
    branch = next((each for each in BRANCHES.get(form, ()) if any(name.startswith(each) for name in weights)), "")
    if form == "moco" and not branch:
        raise InputError(f"{where}: has no names that begin with encoder_q. (MoCo v1, v2) or base_encoder. (v3)")
    others = OTHERS[form]
    kept = {
        name.removeprefix(branch): value
        for name, value in weights.items()
        if name.startswith(branch) and not (name.startswith(others) if others else False)
    }
    strange = [name for name in weights if branch and not name.startswith((branch, *others))]
    if strange:
        raise InputError(f"{where}: is no {form} file: it also holds {listed(strange)}")
    return vit_names.ours(kept)


def _inside(found: Any, where: str) -> Weights:
    for key in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            return _inside(found[key], where)
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{where}: holds no state dict but {type(found).__name__}; save the model's state_dict()")
    if bad := [str(name) for name, value in found.items() if not isinstance(value, Tensor)]:
        raise InputError(f"{where}: these are not weights: {listed(bad)}; save the model's state_dict() alone")
    return dict(found)


def _without_wrappers(weights: Weights) -> Weights:
    """Without what DistributedDataParallel puts before every name."""
    while weights and all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


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


def listed(names: list[str]) -> str:
    """The first few, and how many there are."""
    shown = ", ".join(names[:6]) or "nothing"
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
