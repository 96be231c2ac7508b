import numpy as np
import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from schedule_tools import agree, curve
from torch import nn

from pipelines.methods.ema import cosine_momentum, frozen_copy, update


def holding(*values: torch.Tensor) -> nn.Module:
    """A module whose parameters are ``values``."""
    return nn.ParameterList([nn.Parameter(value.clone()) for value in values])


@both_precisions
def test_matches_moco(dtype):
    given, expected = tensors("ema_update", dtype), load("ema_update")
    num_parameters = sum(key.startswith("k_init_") for key in expected)
    for j, momentum in enumerate(expected["m"].tolist()):
        target = holding(*(given[f"k_init_{i}"] for i in range(num_parameters)))
        for step in range(len(expected["q_steps_0"])):
            update(target, holding(*(given[f"q_steps_{i}"][step] for i in range(num_parameters))), momentum)
            for i, parameter in enumerate(target.parameters()):
                assert_close(parameter, expected[f"k_after_{i}_m{j}"][step], dtype)


@both_precisions
def test_matches_byol_with_its_momentum(dtype):
    given, expected = tensors("byol_ema", dtype), load("byol_ema")
    start, last = float(expected["base_tau"]), int(expected["max_steps"])
    momenta = [cosine_momentum(start, int(step) / last) for step in expected["steps"]]
    np.testing.assert_allclose(momenta, expected["tau"], rtol=1e-9)
    target = holding(given["target_w"])
    for online, momentum, after in zip(given["online_w"], momenta, expected["target_w_sequence"]):
        update(target, holding(online), momentum)
        assert_close(target[0], after, dtype)


def test_momentum_rises_to_one_as_in_moco_v3_and_dino():
    expected, c = curve("mocov3_momentum")
    agree([cosine_momentum(c["base_m"], epoch / c["epochs"]) for epoch in c["epoch_positions"]], expected)
    expected, c = curve("dino_momentum")
    assert c["end"] == 1
    agree([cosine_momentum(c["start"], step / len(expected)) for step in range(len(expected))], expected)
    assert cosine_momentum(0.99, 2.0) == 1


def network(seed: int) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    g = torch.Generator().manual_seed(seed)
    for tensor in (*net.parameters(), net[1].running_mean):
        tensor.data.normal_(generator=g)
    return net


def test_a_copy_is_equal_apart_and_frozen():
    online = network(0)
    target = frozen_copy(online)
    for ours, theirs in zip(target.state_dict().values(), online.state_dict().values()):
        assert torch.equal(ours, theirs)
        assert ours.data_ptr() != theirs.data_ptr()
    assert not any(parameter.requires_grad for parameter in target.parameters())
    assert all(parameter.requires_grad for parameter in online.parameters())


def test_buffers_and_the_online_network_stay():
    online, target = network(0), frozen_copy(network(1))
    mean, weights = target[1].running_mean.clone(), [p.detach().clone() for p in online.parameters()]
    update(target, online, 0.5)
    assert torch.equal(target[1].running_mean, mean)
    assert all(torch.equal(p, w) for p, w in zip(online.parameters(), weights))
    assert not any(parameter.requires_grad for parameter in target.parameters())


@pytest.mark.parametrize(("momentum", "of_online"), [(1.0, 0.0), (0.0, 1.0), (0.9, 1 - 0.9**3)])
def test_after_three_steps_towards_fixed_weights(momentum, of_online):
    online, start = network(0), network(1)
    target = frozen_copy(start)
    for _ in range(3):
        update(target, online, momentum)
    for t, a, b in zip(target.parameters(), start.parameters(), online.parameters()):
        torch.testing.assert_close(t, (1 - of_online) * a.detach() + of_online * b.detach(), rtol=1e-5, atol=1e-6)


def test_networks_of_different_shape_are_refused():
    with pytest.raises(AssertionError, match="differ in shape"):
        update(frozen_copy(nn.Linear(3, 4)), nn.Linear(4, 3), 0.9)
