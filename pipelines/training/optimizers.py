"""Optimizers: which parameters decay, adapt and follow the schedule, and at which rates.

A parameter group carries, beside what its optimizer reads:
decayed      whether weight decay acts on it; only then ``set_rates`` changes its weight_decay
adapt        whether LARS' and LARC's local rate acts on it
constant_lr  whether its learning rate stays at the peak (SimSiam's predictor)
lr_scale     factor on its learning rate (layer decay in fine-tuning), 1 elsewhere
"""

import importlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pipelines.errors import InputError
from pipelines.method import Method
from pipelines.spec.training import Training
from pipelines.training.larc import LARC
from pipelines.training.lars import LARS

Group = dict[str, Any]


def derived_lr(training: Training) -> float:
    """The learning rate used, from lr_per_256: x batch/256 (linear), x sqrt(batch/256) (sqrt), or as it stands."""
    share = training.batch_size / 256
    factor = {"linear": share, "sqrt": math.sqrt(share), "none": 1.0}[training.lr_scaling]
    return training.lr_per_256 * factor


def is_norm_or_bias(parameter: Tensor) -> bool:
    """Whether a parameter has at most one dimension: gains, biases, single scales."""
    return parameter.ndim <= 1


def parameter_groups(method: nn.Module, training: Training, constant: Sequence[nn.Module] = ()) -> list[Group]:
    """The trainable parameters of ``method`` in at most four groups, empty ones left out, the decayed ones first.

    constant: modules of the method with constant learning rate. With decay_norm_and_bias False, norms and biases
    neither decay nor adapt. Parameters that need no gradient (targets, frozen layers) are in no group.
    """
    fixed_rate = {id(parameter) for module in constant for parameter in module.parameters()}
    trainable = [parameter for parameter in method.parameters() if parameter.requires_grad]
    groups = []
    for constant_lr in (False, True):
        for decayed in (True, False):
            chosen = [
                parameter
                for parameter in trainable
                if (id(parameter) in fixed_rate) == constant_lr
                and (training.decay_norm_and_bias or not is_norm_or_bias(parameter)) == decayed
            ]
            groups.append(group_of(chosen, training.weight_decay, decayed, constant_lr))
    return [group for group in groups if group["params"]]


def group_of(
    params: list[nn.Parameter], weight_decay: float, decayed: bool, constant_lr: bool = False, lr_scale: float = 1.0
) -> Group:
    """A parameter group as above, its weight decay 0 unless ``decayed``."""
    return {
        "params": params,
        "weight_decay": weight_decay if decayed else 0.0,
        "decayed": decayed,
        "adapt": decayed,
        "constant_lr": constant_lr,
        "lr_scale": lr_scale,
    }


def share_groups(lr_shares: Sequence[tuple[float, nn.Module]], training: Training) -> list[Group]:
    """Groups of modules that learn side by side, each at its share of the learning rate; one share a group, or two."""
    groups = []
    for share in sorted({share for share, _ in lr_shares}):
        modules = nn.ModuleList(module for each, module in lr_shares if each == share)
        groups += [{**group, "lr_scale": share} for group in parameter_groups(modules, training)]
    return groups


def groups_of(method: Method, training: Training) -> list[Group]:
    """Parameter groups; with layer decay by depth in the ViT, whatever stands behind it as its top."""
    if method.lr_shares:
        return share_groups(method.lr_shares, training)
    if training.layer_decay is None:
        return parameter_groups(method, training, method.constant_lr)
    if not hasattr(method.encoder, "blocks"):
        raise InputError("training.layer_decay: only a ViT has blocks to decay over; leave it out for this encoder")
    named = [(name.removeprefix("encoder."), parameter) for name, parameter in method.named_parameters()]
    by_layer = importlib.import_module("pipelines.training.layer_decay")  # timm loads slowly
    groups: list[Group] = by_layer.layer_decay_groups(named, training.layer_decay, training.weight_decay)
    return groups


def build_optimizer(groups: list[Group], training: Training, lr: float, lr_in_buffer: bool = False) -> Optimizer:
    """The optimizer named in ``training`` over ``groups``, at the peak rate ``lr`` (times each group's lr_scale).

    lr_in_buffer: SimCLR's form of LARS, for no other optimizer. Adam and AdamW are fused: one kernel a group.
    InputError for lars_clip with anything but larc: nothing else has that limit.
    """
    if training.lars_clip and training.optimizer != "larc":
        raise InputError(
            f"training.lars_clip: {training.optimizer} has no clipped local rate; use optimizer: larc, or leave it out"
        )
    assert not lr_in_buffer or training.optimizer == "lars"
    groups = [{**group, "lr": lr * group["lr_scale"]} for group in groups]
    momentum, trust = training.momentum, training.trust
    match training.optimizer:
        case "sgd":
            return torch.optim.SGD(
                groups, lr, momentum
            )  # fused it fails where a layer begins to learn later than others
        case "lars":
            return LARS(groups, lr, momentum, trust=trust, lr_in_buffer=lr_in_buffer)
        case "larc":
            return LARC(groups, lr, momentum, trust=trust, clip=training.lars_clip)
        case "adam":
            return torch.optim.Adam(groups, lr, training.betas, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr, training.betas, fused=True)


def set_rates(optimizer: Optimizer, lr: float, weight_decay: float) -> None:
    """Set this step's rates: ``lr`` where it is not constant, ``weight_decay`` where the group decays at all."""
    for group in optimizer.param_groups:
        if not group["constant_lr"]:
            group["lr"] = lr * group["lr_scale"]
        if group["decayed"]:
            group["weight_decay"] = weight_decay


@torch.no_grad()
def clip_each(parameters: Iterable[nn.Parameter], limit: float, norms: Tensor | None = None) -> Tensor:
    """Scale each parameter's gradient by min(1, limit / (norm + 1e-6)), in place; (P,) norms before it (DINO).

    Unlike the usual clipping, one large gradient does not shrink the others. Parameters without gradient are left out.
    norms: those of the gradients, where they are known.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(0)
    if norms is None:
        norms = torch.stack(torch._foreach_norm(gradients))
    torch._foreach_mul_(gradients, list((limit / (norms + 1e-6)).clamp(max=1.0).unbind()))
    return norms
