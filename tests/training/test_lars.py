import copy

import numpy as np
import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pipelines.training.larc import LARC
from pipelines.training.lars import LARS, trust_ratio


def run(optimizer: torch.optim.Optimizer, weights: dict[str, nn.Parameter], gradients: dict[str, torch.Tensor]):
    """The weights after every step, by name; gradients[name] (steps, ...)."""
    after: dict[str, list[torch.Tensor]] = {name: [] for name in weights}
    for step in range(len(next(iter(gradients.values())))):
        for name, weight in weights.items():
            weight.grad = gradients[name][step].clone()
        optimizer.step()
        for name, weight in weights.items():
            after[name].append(weight.detach().clone())
    return {name: torch.stack(values) for name, values in after.items()}


def split(weights: dict[str, nn.Parameter], excluded: tuple[str, ...], weight_decay: float) -> list[dict]:
    """Two groups: those that decay and adapt, and those that do neither."""
    inside = [weight for name, weight in weights.items() if name not in excluded]
    outside = [weight for name, weight in weights.items() if name in excluded]
    return [
        {"params": inside, "weight_decay": weight_decay},
        {"params": outside, "weight_decay": 0.0, "adapt": False},
    ]


@both_precisions
def test_lars_matches_moco_v3(dtype):
    given, expected = tensors("lars", dtype), load("lars")
    names = [key[2:] for key in expected if key.startswith("w_") and not key.endswith("_steps")]
    assert len(names) == 5
    weights = {name: nn.Parameter(given[f"w_{name}"]) for name in names}
    excluded = tuple(name for name in names if weights[name].ndim <= 1)
    groups = split(weights, excluded, float(expected["weight_decay"]))
    optimizer = LARS(
        groups, float(expected["lr"]), float(expected["momentum"]), trust=float(expected["trust_coefficient"])
    )
    after = run(optimizer, weights, {name: given[f"g_{name}"] for name in names})
    for name in names:
        assert_close(after[name], expected[f"w_{name}_steps"], dtype)
        assert_close(optimizer.state[weights[name]]["momentum_buffer"], expected[f"buf_{name}_steps"][-1], dtype)


@both_precisions
def test_lars_with_the_rate_in_the_buffer_matches_simclr(dtype):
    given, expected = tensors("simclr_lars", dtype), load("simclr_lars")
    names = [key.removesuffix("_init") for key in expected if key.endswith("_init")]
    assert len(names) == 5
    weights = {name: nn.Parameter(given[f"{name}_init"]) for name in names}
    groups = split(weights, ("bias", "bn_gamma", "head_kernel"), float(expected["weight_decay"]))
    optimizer = LARS(
        groups,
        float(expected["lr"]),
        float(expected["momentum"]),
        trust=float(expected["eta"]),
        lr_in_buffer=True,
    )
    after = run(optimizer, weights, {name: given[f"{name}_grads"] for name in names})
    for name in names:
        assert_close(after[name], expected[f"{name}_after"], dtype)
        np.testing.assert_allclose(after[name].numpy(), expected[f"{name}_after_tf_float32"], rtol=1e-4, atol=1e-6)


@both_precisions
@pytest.mark.parametrize(
    ("form", "trust", "clip", "excluded"),
    [
        ("apex_scale", "trust_coefficient_apex", False, ()),
        ("apex_clip", "trust_coefficient_apex", True, ()),
        ("solo_clip", "eta_solo", True, ("vector",)),
    ],
)
def test_larc_matches_its_references(dtype, form, trust, clip, excluded):
    given, expected = tensors("larc", dtype), load("larc")
    names = [key.removeprefix(f"{form}_w_").removesuffix("_steps") for key in expected if key.startswith(form)]
    weights = {name: nn.Parameter(given[f"w_{name}"]) for name in names}
    gradients = {
        name: given[f"g_{name}"] if f"g_{name}" in given else given["g_matrix"][:, : w.shape[0], : w.shape[1]]
        for name, w in weights.items()
    }
    groups = split(weights, excluded, float(expected["weight_decay"]))
    optimizer = LARC(
        [group for group in groups if group["params"]],
        float(expected["lr"]),
        float(expected["momentum"]),
        trust=float(expected[trust]),
        clip=clip,
    )
    after = run(optimizer, weights, gradients)
    for name in names:
        assert_close(after[name], expected[f"{form}_w_{name}_steps"], dtype)


def parameter(seed: int, *shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def one_step(make, weight: nn.Parameter, gradient: torch.Tensor) -> torch.Tensor:
    """How far one step moves the weight."""
    before = weight.detach().clone()
    weight.grad = gradient
    make([weight]).step()
    return weight.detach() - before


def test_the_first_lars_step_is_trust_times_lr_times_the_weight_norm_whatever_the_gradient():
    for factor in (1e-6, 1.0, 1e6):
        weight, gradient = parameter(0, 4, 3), factor * parameter(1, 4, 3).detach()
        norm = weight.norm().item()
        moved = one_step(lambda ws: LARS(ws, lr=0.5, trust=0.02), weight, gradient)
        assert moved.norm().item() == pytest.approx(0.5 * 0.02 * norm)


def test_clipped_larc_never_moves_further_than_sgd():
    for trust in (1e-3, 10.0):
        weight, gradient = parameter(2, 4, 3), parameter(3, 4, 3).detach()
        expected = min(0.1, trust * weight.norm().item() / gradient.norm().item()) * gradient.norm().item()
        moved = one_step(lambda ws, t=trust: LARC(ws, lr=0.1, trust=t, clip=True), weight, gradient)
        assert moved.norm().item() == pytest.approx(expected)


def test_without_adaptation_both_are_sgd_with_momentum_and_decay():
    for kind in (LARS, LARC):
        ours, theirs = parameter(4, 5, 2), parameter(4, 5, 2)
        groups = [{"params": [ours], "adapt": False, "weight_decay": 0.05}]
        first, second = kind(groups, lr=0.1, momentum=0.8), torch.optim.SGD([theirs], 0.1, 0.8, weight_decay=0.05)
        for step in range(4):
            ours.grad, theirs.grad = parameter(step, 5, 2).detach(), parameter(step, 5, 2).detach()
            first.step()
            second.step()
        torch.testing.assert_close(ours, theirs)


def test_where_the_rate_stands_matters_only_when_it_changes():
    def moved(rates: tuple[float, ...], inside: bool) -> torch.Tensor:
        weight = parameter(5, 3, 3)
        optimizer = LARS([weight], lr=rates[0], lr_in_buffer=inside)
        for step, rate in enumerate(rates):
            optimizer.param_groups[0]["lr"] = rate
            weight.grad = parameter(6 + step, 3, 3).detach()
            optimizer.step()
        return weight.detach()

    torch.testing.assert_close(moved((0.2, 0.2, 0.2), True), moved((0.2, 0.2, 0.2), False))
    assert not torch.allclose(moved((0.2, 0.2, 0.0), True), moved((0.2, 0.2, 0.0), False))


@pytest.mark.parametrize("make", [lambda ws: LARS(ws, 0.0), lambda ws: LARC(ws, 0.0, clip=True, weight_decay=1e-4)])
def test_a_first_warm_up_step_of_rate_zero_moves_nothing_and_stays_finite(make):
    weight = parameter(7, 3, 2)
    assert not one_step(make, weight, parameter(8, 3, 2).detach()).any()


def test_zero_norms_give_the_ratio_one():
    w_norm, g_norm = torch.tensor([0.0, 3.0, 0.0]), torch.tensor([3.0, 0.0, 0.0])
    assert trust_ratio(w_norm, g_norm, 0.1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", [LARS, LARC])
def test_a_saved_state_continues_bit_for_bit(kind):
    def steps(optimizer: torch.optim.Optimizer, weight: nn.Parameter, numbers: range) -> None:
        for step in numbers:
            weight.grad = parameter(step, 4, 4).detach()
            optimizer.step()

    whole = parameter(9, 4, 4)
    steps(kind([whole], 0.3, weight_decay=0.01), whole, range(6))
    first = parameter(9, 4, 4)
    before = kind([first], 0.3, weight_decay=0.01)
    steps(before, first, range(3))
    second = nn.Parameter(first.detach().clone())
    resumed = kind([second], 0.9, weight_decay=0.5)  # what was saved overrides these
    resumed.load_state_dict(copy.deepcopy(before.state_dict()))
    steps(resumed, second, range(3, 6))
    assert torch.equal(second, whole)


@pytest.mark.parametrize("kind", [LARS, LARC])
def test_a_parameter_without_gradient_is_left_alone(kind):
    weight = parameter(10, 2, 2)
    before = weight.detach().clone()
    kind([weight], 0.1, weight_decay=0.1).step()
    assert torch.equal(weight.detach(), before)


def test_larc_leaves_a_weight_without_gradient_signal_undecayed_where_lars_decays_it():
    zero = torch.zeros(3, 2, dtype=torch.float64)
    assert not one_step(lambda ws: LARC(ws, 0.1, weight_decay=0.5), parameter(11, 3, 2), zero).any()
    weight = parameter(11, 3, 2)
    norm = weight.norm().item()
    moved = one_step(lambda ws: LARS(ws, 0.1, weight_decay=0.5, trust=0.02), weight, zero)
    assert moved.norm().item() == pytest.approx(0.1 * 0.02 * norm)


class Counted(TorchDispatchMode):
    """How many operations are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operations += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", [LARS, LARC])
def test_a_step_asks_for_as_few_operations_for_many_layers_as_for_two(kind):
    def operations(layers: int) -> int:
        weights = [parameter(seed, 3, 2) for seed in range(layers)]
        optimizer = kind(weights, 0.1, weight_decay=0.1)
        for _ in range(2):  # the first makes the buffers
            for weight in weights:
                weight.grad = weight.detach().clone()
            with Counted() as counted:
                optimizer.step()
        return counted.operations

    assert operations(60) == operations(2) < 30
