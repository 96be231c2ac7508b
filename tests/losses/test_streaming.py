import pytest
import torch
from parity_tools import both_precisions

from pipelines.losses.info_nce import info_nce, info_nce_from_scores, scores
from pipelines.losses.streaming import logsumexp_scores


def random_rows(*counts: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, 6, generator=generator, dtype=torch.float64).to(dtype) for count in counts]


@both_precisions
@pytest.mark.parametrize("rows_at_once", [1, 7, 20, 64, None])  # 20 divides the rows, 7 does not, 64 is more than all
def test_pieces_give_what_the_whole_gives(dtype, rows_at_once):
    q, rows, upstream = random_rows(5, 60, 5, dtype=dtype)
    q.requires_grad_()
    found, kept = logsumexp_scores(q, rows, 0.2, rows_at_once=rows_at_once)
    expected = torch.logsumexp(q @ rows.T / 0.2, dim=1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(kept, (q @ rows.T).detach())
    gradients = [torch.autograd.grad((value * upstream[:, 0]).sum(), q)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_numerical_gradient():
    q, rows = random_rows(3, 11, seed=1)
    assert torch.autograd.gradcheck(
        lambda x: logsumexp_scores(x, rows, 0.5, keep_scores=False, rows_at_once=4)[0], q.requires_grad_()
    )


def test_loss_equals_the_one_of_written_out_scores():
    q, k, negatives = random_rows(5, 5, 33, seed=2)
    q.requires_grad_(), k.requires_grad_()
    streamed, written = info_nce(q, k, negatives, 0.1).loss, info_nce_from_scores(*scores(q, k, negatives), 0.1)
    torch.testing.assert_close(streamed, written)
    found, expected = (torch.autograd.grad(loss, (q, k)) for loss in (streamed, written))
    torch.testing.assert_close(found, expected)


def test_negatives_and_temperatures_with_a_gradient_get_it():
    q, k, negatives = random_rows(5, 5, 33, seed=3)
    temperature = torch.tensor(0.3, dtype=torch.float64)
    leaves = [tensor.requires_grad_() for tensor in (negatives, temperature)]
    loss = info_nce(q, k, *leaves).loss
    expected = torch.autograd.grad(info_nce_from_scores(*scores(q, k, negatives), temperature), leaves)
    torch.testing.assert_close(torch.autograd.grad(loss, leaves), expected)


def test_queue_may_be_overwritten_before_the_backward_pass():
    q, k, negatives = random_rows(5, 5, 33, seed=4)
    q.requires_grad_()
    (expected,) = torch.autograd.grad(info_nce(q, k, negatives, 0.1).loss, q)
    loss = info_nce(q, k, negatives, 0.1).loss
    negatives.zero_()
    assert torch.equal(torch.autograd.grad(loss, q)[0], expected)


def test_scores_are_for_watching_only_and_can_be_left_out():
    q, k, negatives = random_rows(5, 5, 33, seed=5)
    q.requires_grad_()
    kept, left_out = info_nce(q, k, negatives, 0.1), info_nce(q, k, negatives, 0.1, keep_scores=False)
    assert not kept.negative.requires_grad
    assert not kept.positive.requires_grad
    assert left_out.negative.shape == (5, 0)
    assert torch.equal(kept.loss, left_out.loss)


def test_far_apart_pieces_neither_overflow_nor_vanish():
    q = torch.ones(1, 1)
    rows = torch.tensor([[-500.0], [300.0], [-500.0], [300.0]])
    for order in ([0, 1, 2, 3], [1, 0, 3, 2]):
        found, _ = logsumexp_scores(q, rows[order], 1.0, rows_at_once=1)
        assert found.item() == pytest.approx(300.6931, abs=1e-3)  # log of two equal terms


def test_half_precision_and_autocast_are_computed_in_single():
    q, k, negatives = (rows.bfloat16() for rows in random_rows(5, 5, 33, seed=6))
    exact = info_nce(q.float(), k.float(), negatives.float(), 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = info_nce(q.requires_grad_(), k, negatives, 0.1)
        found.loss.backward()
    assert found.loss.dtype == torch.float32
    assert torch.equal(found.loss, exact.loss)
    assert q.grad.isfinite().all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_device_gives_what_the_cpu_gives():
    q, k, negatives = random_rows(5, 5, 33, seed=7)
    found = info_nce(q.cuda(), k.cuda(), negatives.cuda(), 0.1)
    torch.testing.assert_close(found.loss.cpu(), info_nce(q, k, negatives, 0.1).loss)
