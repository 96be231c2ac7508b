"""Whose names the weights in a file bear, and which of them are the encoder's, by the names that our encoders give them.

Sources of the names are the released checkpoints and code of torchvision, timm, MoCo v1 to v3, SwAV, DINO and MAE.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pipelines.errors import InputError
from pipelines.spec import vit_names

V = TypeVar("V")

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


def encoder_weights(found: Any, form: str, where: str, kind: type[V]) -> dict[str, V]:
    """The encoder's part of what a file of a format holds, by our names; a classifier may still be there.

    kind: of the values: tensors, or what stands for them. InputError where the file is of another format.
    """
    weights = _without_wrappers(_inside(found, where, kind))
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


def _inside(found: Any, where: str, kind: type[V]) -> dict[str, V]:
    for key in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            return _inside(found[key], where, kind)
    if not isinstance(found, Mapping) or not found:
        raise InputError(f"{where}: holds no state dict but {type(found).__name__}; save the model's state_dict()")
    if bad := [str(name) for name, value in found.items() if not isinstance(value, kind)]:
        raise InputError(f"{where}: these are not weights: {listed(bad)}; save the model's state_dict() alone")
    return dict(found)


def _without_wrappers(weights: dict[str, V]) -> dict[str, V]:
    """Without what DistributedDataParallel puts before every name."""
    while weights and all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def listed(names: list[str]) -> str:
    """The first few, and how many there are."""
    shown = ", ".join(names[:6]) or "nothing"
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
