import math

import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.memory_bank import bank_scores, update_bank
from pipelines.losses.nce import estimate_log_z, instance_softmax, nce, proximal


@both_precisions
def test_instdisc_two_steps(dtype):
    given, expected = tensors("instdisc_nce", dtype), load("instdisc_nce")
    bank, samples, temperature = given["memory_init"], given["n_data"].item(), given["T"].item()
    log_z = None
    for step in (1, 2):
        raw, index = given[f"x_raw_{step}"].requires_grad_(), given[f"y_{step}"]
        x = F.normalize(raw, dim=1)
        x.retain_grad()
        logits = bank_scores(x, bank.clone(), given[f"idx_{step}"]) / temperature
        log_z = estimate_log_z(logits, samples) if log_z is None else log_z
        assert_close(log_z.exp(), expected[f"Z_{step}"], dtype)
        assert_close((logits - log_z).exp(), expected[f"probs_{step}"], dtype)
        loss = nce(logits, log_z, samples)
        loss.backward()
        assert_close(loss, expected[f"loss_{step}"], dtype)
        assert_close(x.grad, expected[f"grad_x_{step}"], dtype)
        assert_close(raw.grad, expected[f"grad_x_raw_{step}"], dtype)
        visited = x.detach().clone().requires_grad_()
        near = proximal(visited, bank[index])
        near.backward()
        assert_close(near, expected[f"prox_{step}"], dtype)
        assert_close(visited.grad, expected[f"grad_prox_x_{step}"], dtype)
        update_bank(bank, index, x, given["m"].item())
        assert_close(bank, expected[f"memory_after_{step}"], dtype)


@both_precisions
def test_instdisc_full_softmax(dtype):
    given, expected = tensors("instdisc_softmax", dtype), load("instdisc_softmax")
    raw = given["x_raw"].requires_grad_()
    x = F.normalize(raw, dim=1)
    x.retain_grad()
    logits = x @ given["memory_init"].T / given["T"].item()
    loss = instance_softmax(logits, given["y"])
    loss.backward()
    assert_close(logits, expected["logits"], dtype)
    assert_close(loss, expected["loss"], dtype)
    assert_close(x.grad, expected["grad_x"], dtype)
    assert_close(raw.grad, expected["grad_x_raw"], dtype)
    update_bank(given["memory_init"], given["y"], x, given["m"].item())
    assert_close(given["memory_init"], expected["memory_after"], dtype)


@both_precisions
def test_cmc_nce_in_both_directions(dtype):
    given, expected = tensors("cmc_contrast", dtype), load("cmc_contrast")
    samples, banks = given["n_data"].item(), {"l": "memory_ab_init", "ab": "memory_l_init"}
    raws = {name: given[f"{name}_raw"].requires_grad_() for name in banks}
    views = {name: F.normalize(raw, dim=1) for name, raw in raws.items()}
    total = torch.zeros((), dtype=dtype)
    for name, bank in banks.items():
        views[name].retain_grad()
        logits = bank_scores(views[name], given[bank].clone(), given["idx"]) / given["T"].item()
        log_z = estimate_log_z(logits, samples)
        assert_close(log_z.exp(), expected[f"Z_{name}"], dtype)
        assert_close((logits - log_z).exp(), expected[f"nce_out_{name}"], dtype)
        loss = nce(logits, log_z, samples)
        assert_close(loss, expected[f"nce_loss_{name}"], dtype)
        total = total + loss
    total.backward()
    assert_close(total, expected["nce_loss"], dtype)
    for name in banks:
        assert_close(views[name].grad, expected[f"nce_grad_{name}"], dtype)
        assert_close(raws[name].grad, expected[f"nce_grad_{name}_raw"], dtype)
        update_bank(given[f"memory_{name}_init"], given["y"], views[name], given["m"].item())
        assert_close(given[f"memory_{name}_init"], expected[f"memory_{name}_after"], dtype)


@pytest.mark.parametrize("share", [0, 1, 3])
def test_candidates_as_likely_as_noise_in_closed_form(share):
    """p = a = K / n and eps = share * a: every question is answered with probability 1 / (2 + share)."""
    samples, drawn = 1000, 10
    logits = torch.full((4, 1 + drawn), math.log(drawn / samples), dtype=torch.float64)  # Z = 1
    loss = nce(logits, 0.0, samples, eps=share * drawn / samples)
    assert loss.item() == pytest.approx((1 + drawn) * math.log(2 + share))


def test_only_the_ratio_of_score_and_z_counts():
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(nce(logits + 3.0, 5.0, 100), nce(logits, 2.0, 100))


def test_z_of_equal_scores_is_their_sum_over_all_samples():
    log_z = estimate_log_z(torch.full((3, 5), 0.7, dtype=torch.float64), 200)
    assert log_z.exp().item() == pytest.approx(200 * math.exp(0.7))


def test_z_gives_no_gradient():
    logits = torch.zeros(2, 3, requires_grad=True)
    assert not estimate_log_z(logits, 10).requires_grad


def test_scores_that_would_overflow_stay_finite():
    logits = torch.tensor([[200.0, 200.0, -200.0]], requires_grad=True)  # exp(200) is no float32
    loss = nce(logits, estimate_log_z(logits, 50), 50)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_proximal_is_zero_at_the_last_visit_and_teaches_the_feature_only():
    x, previous = torch.ones(3, 4, requires_grad=True), torch.ones(3, 4, requires_grad=True)
    loss = proximal(x, previous)
    loss.backward()
    assert loss.item() == 0
    assert previous.grad is None
