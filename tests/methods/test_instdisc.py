"""InstDisc: two steps of the released code, the full softmax, the proximal term, and Z that is estimated once."""

import math

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import Tensor, nn

from pipelines.methods import bank
from pipelines.methods.instdisc import InstDisc
from pipelines.spec.methods.instdisc import Options


def given_draws(monkeypatch: pytest.MonkeyPatch, slots: Tensor) -> None:
    monkeypatch.setattr(bank, "draw_candidates", lambda index, num_samples, num_negatives, generator: slots)


def released(dtype: torch.dtype, x: dict[str, Tensor], **options: object) -> InstDisc:
    """The method over the identity, with the bank of a fixture."""
    count, dim = x["memory_init"].shape
    settings = {"temperature": float(x["T"]), "bank_momentum": float(x["m"]), "dim": dim, **options}
    method = InstDisc(Options(**settings), LinearEncoder(dim), nn.Identity(), count).to(dtype)
    method.bank.slots.copy_(x["memory_init"])
    return method


@both_precisions
def test_two_steps_are_those_of_the_released_code(monkeypatch, dtype):
    x, expected = tensors("instdisc_nce", dtype), load("instdisc_nce")
    method = released(dtype, x, num_negatives=int(x["K"]))
    for step in (1, 2):
        given_draws(monkeypatch, x[f"idx_{step}"])
        raw, now = x[f"x_raw_{step}"].requires_grad_(), progress(step - 1)
        output = method.loss([raw], batch(len(raw), index=x[f"y_{step}"]), now)
        output.loss.backward()
        assert_close(output.loss, expected[f"loss_{step}"], dtype)
        assert_close(raw.grad, expected[f"grad_x_raw_{step}"], dtype)
        assert_close(method.question.log_z.exp().squeeze(), expected[f"Z_{step}"], dtype)
        assert_close(output.scalars["distance_from_slot"], expected[f"prox_{step}"], dtype)
        scores = torch.cat([output.watched["positive_scores"][:, None], output.watched["negative_scores"]], dim=1)
        assert_close((scores / float(x["T"]) - method.question.log_z).exp(), expected[f"probs_{step}"], dtype)
        method.after_step(now)
        assert_close(method.bank.slots, expected[f"memory_after_{step}"], dtype)


@both_precisions
def test_the_proximal_term_adds_lambda_times_its_gradient(monkeypatch, dtype):
    x, expected = tensors("instdisc_nce", dtype), load("instdisc_nce")
    given_draws(monkeypatch, x["idx_1"])
    method = released(dtype, x, num_negatives=int(x["K"]), proximal=30.0)
    unit = x["x_1"].requires_grad_()  # normalising a unit vector drops the radial part of a gradient
    output = method.loss([unit], batch(len(unit), index=x["y_1"]), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss_1"] + 30 * expected["prox_1"], dtype)
    whole = expected["grad_x_1"] + 30 * expected["grad_prox_x_1"]
    v = load("instdisc_nce")["x_1"]
    assert_close(unit.grad, whole - (whole * v).sum(1, keepdims=True) * v, dtype)


@both_precisions
def test_the_full_softmax_is_the_released_one(dtype):
    x, expected = tensors("instdisc_softmax", dtype), load("instdisc_softmax")
    method, raw = released(dtype, x, loss="softmax"), x["x_raw"].requires_grad_()
    output = method.loss([raw], batch(len(raw), index=x["y"]), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss"], dtype)
    assert_close(raw.grad, expected["grad_x_raw"], dtype)
    rows = range(len(raw))
    own = expected["logits"][rows, load("instdisc_softmax")["y"]] * float(x["T"])
    assert_close(output.watched["positive_scores"], own, dtype)
    assert output.watched["negative_scores"].shape == (len(raw), len(raw) - 1)
    method.after_step(progress())
    assert_close(method.bank.slots, expected["memory_after"], dtype)


def small(**options: object) -> InstDisc:
    torch.manual_seed(0)
    return InstDisc(Options(dim=6, num_negatives=9, **options), LinearEncoder(10), nn.Linear(10, 6), 30)


def view(seed: int = 1) -> Tensor:
    return torch.randn(8, 10, generator=torch.Generator().manual_seed(seed))


def test_z_is_estimated_at_the_first_step_alone_and_travels_in_the_checkpoint():
    method = small()
    assert method.question.log_z.isnan().all()
    method.loss([view()], batch(8), progress(0))
    first = method.question.log_z.clone()
    method.loss([view(2)], batch(8), progress(1))
    assert torch.equal(method.question.log_z, first)
    resumed = small()
    resumed.load_state_dict(method.state_dict(), strict=True)
    assert torch.equal(
        resumed.loss([view(2)], batch(8), progress(1)).loss, method.loss([view(2)], batch(8), progress(1)).loss
    )


def test_info_nce_of_equal_slots_is_chance():
    method = small(loss="info_nce")
    method.bank.slots.fill_(1 / math.sqrt(6))
    assert method.loss([view()], batch(8), progress()).loss.item() == pytest.approx(math.log(10))
    assert "question.log_z" not in method.state_dict()


def test_only_the_visited_slots_move_and_only_after_the_step():
    method, before = small(bank_momentum=0.0), small().bank.slots.clone()
    index = torch.tensor([29, 3, 5, 7, 11, 13, 17, 19])
    output = method.loss([view()], batch(8, index=index), progress())
    assert torch.equal(method.bank.slots, before)
    method.after_step(progress())
    torch.testing.assert_close(method.bank.slots[index], F.normalize(output.watched["embeddings"], dim=1))
    others = [row for row in range(30) if row not in index.tolist()]
    assert torch.equal(method.bank.slots[others], before[others])


def test_the_bank_starts_uniform_or_with_unit_vectors():
    bound = (3 / 6) ** 0.5
    assert small().bank.slots.abs().max() <= bound
    torch.testing.assert_close(small(bank_start="unit").bank.slots.norm(dim=1), torch.ones(30))


def test_small_images_follow_the_released_cifar_augmentation():
    (large,), (tiny,) = (Options().default_views(side).kinds for side in (224, 32))
    assert (large.flip, large.grayscale_first) == (0.5, True)
    assert (tiny.flip, tiny.grayscale_first) == (0.0, False)
