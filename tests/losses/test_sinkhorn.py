import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.sinkhorn import sinkhorn


def scores(rows: int = 12, prototypes: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.rand(rows, prototypes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


@both_precisions
def test_matches_the_reference(dtype):
    inputs, expected = tensors("swav_sinkhorn", dtype), load("swav_sinkhorn")
    epsilon, iterations, b = float(expected["epsilon"]), int(expected["n_iters"]), int(expected["batch_size"])
    assert_close(sinkhorn(inputs["scores"], epsilon, iterations), expected["assignments"], dtype)
    assert_close(sinkhorn(inputs["scores"], epsilon, 1), expected["assignments_iter1"], dtype)
    assert_close(sinkhorn(inputs["scores"], epsilon, 10), expected["assignments_iter10"], dtype)
    joint = sinkhorn(inputs["scores_with_queue"], epsilon, iterations)[-b:]
    assert_close(joint, expected["assignments_with_queue"], dtype)


def test_agrees_with_the_plain_form():
    s, epsilon = scores(), 0.3
    q = (s / epsilon).exp()
    for _ in range(4):
        q = q / q.sum(0, keepdim=True) / q.shape[1]
        q = q / q.sum(1, keepdim=True) / q.shape[0]
    torch.testing.assert_close(sinkhorn(s, epsilon, 4), q * len(q))


def test_equal_scores_share_equally():
    torch.testing.assert_close(sinkhorn(torch.full((6, 4), 0.7), 0.05, 1), torch.full((6, 4), 0.25))


def test_a_favour_for_one_prototype_changes_nothing():
    s = scores()
    favoured = s + torch.tensor([3.0, 0, 0, -1, 0], dtype=s.dtype)
    torch.testing.assert_close(sinkhorn(favoured, 0.5, 3), sinkhorn(s, 0.5, 3))


def test_many_iterations_balance_rows_and_columns():
    codes = sinkhorn(scores(), 0.5, 200)
    torch.testing.assert_close(codes.sum(1), torch.ones(12, dtype=codes.dtype))
    torch.testing.assert_close(codes.sum(0), torch.full((5,), 12 / 5, dtype=codes.dtype))


def test_an_epsilon_at_which_exp_overflows_still_gives_codes():
    s, epsilon = torch.tensor([[1.0, 0.9, 0.8], [-1.0, -0.9, -0.8], [0.0, 0.1, 0.3]]), 0.004
    codes = sinkhorn(s, epsilon, 3)  # exp(2 / 0.004) is beyond float32
    log_codes = s.double() / epsilon
    for _ in range(3):
        log_codes = log_codes.log_softmax(0).log_softmax(1)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes, log_codes.exp().float())


def test_half_precision_scores_are_balanced_in_float32_and_without_gradient():
    s = scores().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        codes = sinkhorn(s, 0.05, 3)
    assert codes.dtype == torch.float32
    assert not codes.requires_grad
    torch.testing.assert_close(codes.sum(1), torch.ones(12))
    torch.testing.assert_close(codes, sinkhorn(s.float(), 0.05, 3))
