import math

import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.in_batch import in_batch_contrast, mocov3_loss


def rows(seed: int, n: int = 6) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@both_precisions
def test_matches_the_reference(dtype):
    given, expected = tensors("mocov3_loss", dtype), load("mocov3_loss")
    temperature = float(expected["temperature"])
    q1, q2, k1, k2 = (given[name].requires_grad_() for name in ("q1", "q2", "k1", "k2"))
    assert_close(in_batch_contrast(q1, k2, temperature), expected["ctr_q1_k2"], dtype)
    assert_close(in_batch_contrast(q2, k1, temperature), expected["ctr_q2_k1"], dtype)
    loss = mocov3_loss(q1, q2, k1, k2, temperature)
    loss.backward()
    assert_close(loss, expected["loss"], dtype)
    assert_close(q1.grad, expected["grad_q1"], dtype)
    assert_close(q2.grad, expected["grad_q2"], dtype)
    assert k1.grad is None
    assert k2.grad is None


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_equal_rows_leave_only_chance(temperature):
    ones = torch.ones(6, 5)
    assert in_batch_contrast(ones, ones, temperature).item() == pytest.approx(2 * temperature * math.log(6))


def test_equals_a_loop():
    q, k, temperature = rows(0), rows(1), 0.3
    terms = []
    for i in range(6):
        s = [float(torch.cosine_similarity(q[i], k[j], dim=0)) / temperature for j in range(6)]
        terms.append(math.log(sum(math.exp(x) for x in s)) - s[i])
    assert in_batch_contrast(q, k, temperature).item() == pytest.approx(2 * temperature * sum(terms) / 6)


def test_processes_with_gathered_keys_agree_with_one_process():
    q, k = rows(2), rows(3)
    whole = in_batch_contrast(q, k, 0.2)
    parts = [in_batch_contrast(q[first : first + 2], k, 0.2, first) for first in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


def test_joint_order_and_row_length_do_not_matter():
    q, k, order = rows(4), rows(5), torch.tensor([3, 1, 0, 5, 4, 2])
    torch.testing.assert_close(in_batch_contrast(9 * q[order], 0.2 * k[order], 0.2), in_batch_contrast(q, k, 0.2))
