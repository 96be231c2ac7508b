import math

import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.info_nce import info_nce, info_nce_from_scores, logits, scores
from pipelines.losses.memory_bank import update_bank
from pipelines.losses.queue import enqueue


@both_precisions
@pytest.mark.parametrize("name", ["T007", "T02"])
def test_moco_logits_loss_and_gradient(dtype, name):
    given, expected = tensors("moco_infonce", dtype), load("moco_infonce")
    temperature = {"T007": 0.07, "T02": 0.2}[name]
    raw = given["q_raw"].requires_grad_()
    q = F.normalize(raw, dim=1)
    q.retain_grad()
    queue = given["queue"].T.contiguous()
    result = info_nce(q, given["k"], queue, temperature)
    result.loss.backward()
    assert_close(logits(result.positive, result.negative, temperature), expected[f"{name}_logits"], dtype)
    assert_close(result.loss, expected[f"{name}_loss"], dtype)
    assert_close(q.grad, expected[f"{name}_grad_q"], dtype)
    assert_close(raw.grad, expected[f"{name}_grad_q_raw"], dtype)
    pointer = torch.tensor(0)
    enqueue(queue, pointer, given["k"])
    assert_close(queue.T, expected["queue_after"], dtype)
    assert_close(pointer, expected["ptr_after"], dtype)


@both_precisions
def test_moco_symmetric_steps(dtype):
    given, expected = tensors("moco_symmetric", dtype), load("moco_symmetric")
    q_net, k_net = (torch.nn.Linear(*reversed(given["init_weight"].shape), dtype=dtype) for _ in range(2))
    for net in (q_net, k_net):
        net.load_state_dict({"weight": given["init_weight"], "bias": given["init_bias"]})
    decay, inertia = given["weight_decay"].item(), given["sgd_momentum"].item()
    optimizer = torch.optim.SGD(q_net.parameters(), given["lr"].item(), inertia, weight_decay=decay)
    m, temperature = given["m"].item(), given["T"].item()
    queue, pointer = given["queue_init"].T.contiguous(), torch.tensor(0)
    for step, (x1, x2) in enumerate(zip(given["x_1"], given["x_2"], strict=True)):
        with torch.no_grad():
            for slow, fast in zip(k_net.parameters(), q_net.parameters(), strict=True):
                slow.mul_(m).add_(fast, alpha=1 - m)
            k1, k2 = F.normalize(k_net(x1), dim=1), F.normalize(k_net(x2), dim=1)
        q1, q2 = F.normalize(q_net(x1), dim=1), F.normalize(q_net(x2), dim=1)
        loss = info_nce(q1, k2, queue, temperature).loss + info_nce(q2, k1, queue, temperature).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        enqueue(queue, pointer, torch.cat([k1, k2]))
        assert_close(loss, expected["loss"][step], dtype)
        assert_close(queue.T, expected["queue_after"][step], dtype)
        assert_close(pointer, expected["ptr_after"][step], dtype)
        assert_close(q_net.weight, expected["q_weight_after"][step], dtype)
        assert_close(k_net.weight, expected["k_weight_after"][step], dtype)


@both_precisions
def test_pirl_softmax_against_the_bank(dtype):
    given, expected = tensors("pirl", dtype), load("pirl")
    temperature, beta = given["T"].item(), given["beta"].item()
    slots = given["memory_init"][given["idx"]]  # (N, 1 + K, D)
    raws = [given["x_raw"].requires_grad_(), given["x_jig_raw"].requires_grad_()]
    views = [F.normalize(raw, dim=1) for raw in raws]
    for view in views:
        view.retain_grad()
    image, jigsaw = (info_nce(view, slots[:, 0], slots[:, 1:], temperature) for view in views)
    loss = (1 - beta) * image.loss + beta * jigsaw.loss
    loss.backward()
    assert_close(logits(image.positive, image.negative, temperature), expected["logits"], dtype)
    assert_close(logits(jigsaw.positive, jigsaw.negative, temperature), expected["logits_jig"], dtype)
    assert_close(image.loss, expected["loss_img"], dtype)
    assert_close(jigsaw.loss, expected["loss_jig"], dtype)
    assert_close(loss, expected["loss"], dtype)
    for tensor, name in [(views[0], "x"), (views[1], "x_jig"), (raws[0], "x_raw"), (raws[1], "x_jig_raw")]:
        assert_close(tensor.grad, expected[f"grad_{name}"], dtype)
    update_bank(given["memory_init"], given["y"], views[0], given["m"].item())
    assert_close(given["memory_init"], expected["memory_after"], dtype)


@both_precisions
def test_cmc_softmax_in_both_directions(dtype):
    given, expected = tensors("cmc_contrast", dtype), load("cmc_contrast")
    temperature, banks = given["T"].item(), {"l": "memory_ab_init", "ab": "memory_l_init"}
    raws = {name: given[f"{name}_raw"].requires_grad_() for name in banks}
    views = {name: F.normalize(raw, dim=1) for name, raw in raws.items()}
    total = torch.zeros((), dtype=dtype)
    for name, bank in banks.items():
        views[name].retain_grad()
        slots = given[bank][given["idx"]]
        result = info_nce(views[name], slots[:, 0], slots[:, 1:], temperature)
        all_logits = logits(result.positive, result.negative, temperature)
        assert_close(all_logits, expected[f"softmax_out_{name}"], dtype)
        assert_close(result.loss, expected[f"softmax_loss_{name}"], dtype)
        total = total + result.loss
    total.backward()
    assert_close(total, expected["softmax_loss"], dtype)
    for name in banks:
        assert_close(views[name].grad, expected[f"softmax_grad_{name}"], dtype)
        assert_close(raws[name].grad, expected[f"softmax_grad_{name}_raw"], dtype)


def test_equal_candidates_leave_only_chance():
    q = F.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    result = info_nce(q, q, q.unsqueeze(1).expand(5, 30, 8), 0.07)
    assert result.loss.item() == pytest.approx(math.log(31), rel=1e-5)


def test_equals_cross_entropy_with_the_positive_first():
    generator = torch.Generator().manual_seed(1)
    q, k, negatives = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (7, 7, 50))
    positive, negative = scores(q, k, negatives)
    expected = F.cross_entropy(logits(positive, negative, 0.05), torch.zeros(7, dtype=torch.long))
    torch.testing.assert_close(info_nce_from_scores(positive, negative, 0.05), expected)


def test_order_of_negatives_and_a_common_rotation_change_nothing():
    generator = torch.Generator().manual_seed(2)
    q, k, negatives = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (4, 4, 20))
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    order = torch.randperm(20, generator=generator)
    turned = info_nce(q @ turn, k @ turn, negatives[order] @ turn, 0.2)
    torch.testing.assert_close(turned.loss, info_nce(q, k, negatives, 0.2).loss)


def test_shared_negatives_equal_the_same_ones_for_each_anchor():
    generator = torch.Generator().manual_seed(3)
    q, k, negatives = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (4, 4, 20))
    torch.testing.assert_close(info_nce(q, k, negatives, 0.2), info_nce(q, k, negatives.expand(4, 20, 6), 0.2))


def test_large_scores_stay_finite():
    q = torch.eye(2, dtype=torch.float32).requires_grad_()
    loss = info_nce(q, -q.detach(), q.detach(), 0.001).loss
    loss.backward()
    assert loss.item() == pytest.approx(2000.0)
    assert q.grad.isfinite().all()
