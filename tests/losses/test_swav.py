import math

import pytest
import torch
import torch.nn.functional as F
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.swav import codes, normalise_rows_, pushed, queue_is_full, swapped_prediction


def step(dtype, queue_name: str | None):
    """One step of the fixture: everything it stores, computed here."""
    given = tensors("swav_step", dtype)
    b, epsilon = int(given["batch_size"]), float(given["epsilon"])
    assigned = given["crops_for_assign"].tolist()
    features = given["features"].requires_grad_()
    prototypes = normalise_rows_(given["prototypes"]).requires_grad_()
    embeddings = F.normalize(features, dim=1)
    scores = embeddings @ prototypes.T
    views, rows = scores.split(b), embeddings.split(b)
    assert len(views) == int(given["n_crops"])
    targets, queues = [], []
    for number, i in enumerate(assigned):
        waiting = None
        if queue_name:
            queue = given[queue_name][number]
            waiting = queue @ prototypes.T if queue_is_full(queue) else None
            queues.append(pushed(queue, rows[i]))
        targets.append(codes(views[i], waiting, epsilon, int(given["n_iters"])))
    loss = swapped_prediction(targets, assigned, views, float(given["temperature"]))
    loss.backward()
    return {
        "prototypes_normalized": prototypes,
        "embeddings": embeddings,
        "scores": scores,
        "assignments": torch.stack(targets),
        "loss": loss,
        "grad_features": features.grad,
        "grad_prototypes": prototypes.grad,
        "queue_out": torch.stack(queues) if queues else None,
    }


@both_precisions
def test_a_step_without_queue(dtype):
    expected, got = load("swav_step"), step(dtype, None)
    for name in ("prototypes_normalized", "embeddings", "scores", "assignments", "loss", "grad_features"):
        assert_close(got[name], expected[name], dtype)
    assert_close(got["grad_prototypes"], expected["grad_prototypes"], dtype)


@both_precisions
def test_a_step_with_a_full_queue(dtype):
    expected, got = load("swav_step"), step(dtype, "queue")
    assert_close(got["assignments"], expected["assignments_queue"], dtype)
    assert_close(got["loss"], expected["loss_queue"], dtype)
    assert_close(got["grad_features"], expected["grad_features_queue"], dtype)
    assert_close(got["queue_out"], expected["queue_out"], dtype)


@both_precisions
def test_a_queue_that_is_not_full_is_fed_but_not_used(dtype):
    expected, got = load("swav_step"), step(dtype, "queue_partial")
    assert_close(got["loss"], expected["loss_queue_partial"], dtype)
    assert_close(got["loss"], expected["loss"], dtype)
    assert_close(got["queue_out"], expected["queue_partial_out"], dtype)


def test_equal_scores_leave_only_chance():
    views = list(torch.full((6, 4, 7), 0.3))
    targets = [codes(views[i], None, 0.05, 3) for i in (0, 1)]
    assert swapped_prediction(targets, (0, 1), views, 0.1).item() == pytest.approx(math.log(7))


def test_equals_a_loop_over_all_pairs_and_rows():
    g = torch.Generator().manual_seed(1)
    scores = torch.randn(5, 3, 4, generator=g, dtype=torch.float64)
    targets = torch.rand(2, 3, 4, generator=g, dtype=torch.float64)
    assigned, temperature, terms = (1, 3), 0.2, []
    for target, i in zip(targets, assigned):
        for v in range(5):
            for b in range(3):
                if v != i:
                    p = (scores[v, b] / temperature).softmax(0)
                    terms.append(-sum(q * math.log(x) for q, x in zip(target[b].tolist(), p.tolist())))
    loss = swapped_prediction(list(targets), assigned, list(scores), temperature)
    assert loss.item() == pytest.approx(sum(terms) / len(terms))


def test_no_gradient_reaches_a_view_through_its_own_code():
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    raw = scores.softmax(-1)  # targets that would carry gradient
    swapped_prediction([raw[0]], [0], list(scores), 0.1).backward()
    assert not scores.grad[0].any()
    assert scores.grad[1].any()


def test_prototypes_are_normalised_in_place_and_outside_the_graph():
    weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, -2.0]]))
    normalise_rows_(weight)
    torch.testing.assert_close(weight.data, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
    assert weight.is_leaf


def test_the_queue_is_newest_first_and_full_after_its_length_in_rows():
    queue = torch.zeros(4, 1)
    for value in (1.0, 2.0):
        assert not queue_is_full(queue)
        queue = pushed(queue, torch.full((2, 1), value))
    assert queue_is_full(queue)
    assert queue.flatten().tolist() == [2, 2, 1, 1]
    assert pushed(queue, torch.full((4, 1), 3.0)).flatten().tolist() == [3, 3, 3, 3]
