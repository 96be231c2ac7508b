"""Linear probe: its gradient, its agreement with scikit-learn, its choice on the held-out slice alone."""

import time

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipelines.errors import InputError
from pipelines.evaluation import choosing, linear, scaling
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.features import Features
from pipelines.evaluation.linear import Candidate, Probes, best, num_steps
from pipelines.evaluation.scaling import Scaling
from pipelines.spec.evaluation.linear import Options as Linear


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> Features:
    pixels, label = load_digits(return_X_y=True)
    rows, number = torch.tensor(pixels, dtype=torch.float32), torch.tensor(label)
    test = torch.arange(len(rows)) % 5 == 0
    return Features(rows[~test], number[~test], torch.arange(0, int((~test).sum()), 10), rows[test], number[test], 10)


def test_digits_as_good_as_logistic_regression(digits: Features) -> None:
    scaler = StandardScaler().fit(digits.train.numpy())
    peer = max(
        LogisticRegression(C=C, max_iter=1000)
        .fit(scaler.transform(digits.train.numpy()), digits.train_label.numpy())
        .score(scaler.transform(digits.test.numpy()), digits.test_label.numpy())
        for C in (0.01, 0.1, 1.0)
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # process time counts threads that wait for a busy core
    started = time.process_time()
    found = linear.measure(Linear(), digits, seeded())
    assert time.process_time() - started < 5
    torch.set_num_threads(threads)
    assert found.test["top1"] == pytest.approx(peer, abs=0.02)  # 2 standard errors of 360 test rows
    assert 0.93 < found.test["top1"] <= found.test["top5"]
    assert found.chosen["lr"] in Linear().lrs
    assert found.holdout["top1"] == found.holdout[f"top1/lr_{found.chosen['lr']:g}_wd_0"]


def test_decayed_probe_reaches_the_minimum_scikit_learn_finds(digits: Features) -> None:
    """With weight decay the minimum is unique: both minimise mean loss + decay / 2 |weight|^2 over the same scaled rows."""
    decay = 1e-3
    options = Linear(lrs=(10.0,), weight_decays=(decay,), least_steps=3000, batch_size=5000)
    probes = linear.train(options, digits.train, digits.train_label, 10, [Candidate(10.0, decay)], seeded())
    scaled = probes.scaling(digits.train)
    peer = LogisticRegression(C=1 / (decay * len(scaled)), tol=1e-10, max_iter=10000)
    peer.fit(scaled.double().numpy(), digits.train_label.numpy())
    expected = torch.tensor(peer.coef_, dtype=torch.float32)
    torch.testing.assert_close(probes.weight[:, 0], expected, rtol=0, atol=2e-3 * expected.abs().max().item())
    bias = probes.bias[:, 0, 0] - probes.bias[:, 0, 0].mean()
    torch.testing.assert_close(bias, torch.tensor(peer.intercept_ - peer.intercept_.mean()).float(), rtol=0, atol=1e-2)


def test_gradients_are_those_of_the_cross_entropy() -> None:
    rows, label = torch.randn(9, 5, generator=seeded(), dtype=torch.float64), torch.arange(9) % 4
    weight = torch.randn(4, 3, 5, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, 3, 1, generator=seeded(2), dtype=torch.float64, requires_grad=True)
    probes = Probes(Scaling(torch.zeros(5).double(), torch.ones(5).double()), weight, bias)
    losses = [F.cross_entropy(scores, label) for scores in probes.scores(rows)]
    expected = torch.autograd.grad(sum(losses), [weight, bias])
    with torch.no_grad():
        found = probes.gradients(rows, F.one_hot(label, 4).double().T.unsqueeze(1))
    torch.testing.assert_close(found, tuple(expected))


def test_candidates_do_not_touch_each_other(digits: Features) -> None:
    options, rows, label = Linear(least_steps=20, epochs=1), digits.train, digits.train_label
    both = linear.train(options, rows, label, 10, [Candidate(0.3, 0.0), Candidate(30.0, 1e-2)], seeded())
    alone = linear.train(options, rows, label, 10, [Candidate(30.0, 1e-2)], seeded())
    torch.testing.assert_close(both.weight[:, 1:], alone.weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both.scores(rows)[1], alone.scores(rows)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("standardise", [True, False])
def test_scaled_rows_have_mean_zero_and_length_one(standardise: bool) -> None:
    rows = torch.randn(500, 6, generator=seeded()) * torch.tensor([1.0, 10, 0.1, 5, 0, 3]) + 7
    scaled = Scaling.of(rows, standardise)(rows)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(6), rtol=0, atol=1e-4)
    assert scaled.square().sum(1).mean().item() == pytest.approx(1, abs=1e-3)
    alive = scaled.std(0)[[0, 1, 2, 3, 5]]
    assert (alive.max() / alive.min() < 1.01) == standardise
    assert not scaled[:, 4].any()


def test_width_and_scale_of_features_do_not_change_the_result(digits: Features) -> None:
    wide = Features(
        digits.train.repeat(1, 3) * 1000, digits.train_label, digits.holdout, digits.test.repeat(1, 3) * 1000,
        digits.test_label, 10,
    )  # fmt: skip
    options = Linear(least_steps=200, epochs=1, lrs=(1.0, 10.0))
    found, expected = linear.measure(options, wide, seeded()), linear.measure(options, digits, seeded())
    assert found.metrics == pytest.approx(expected.metrics, abs=0.01)


def test_a_collapsed_encoder_scores_chance(digits: Features) -> None:
    flat = Features(torch.ones(1437, 8), digits.train_label, digits.holdout, torch.ones(360, 8), digits.test_label, 10)
    found = linear.measure(Linear(least_steps=50, epochs=1), flat, seeded())
    assert found.test["top1"] < 0.2
    assert found.test["mean_per_class"] == pytest.approx(0.1)


def test_test_split_has_no_part_in_choice_and_training(digits: Features) -> None:
    options = Linear(least_steps=100, epochs=1)
    shuffled = Features(
        digits.train, digits.train_label, digits.holdout, digits.test.flip(0) * 3, digits.test_label, 10
    )
    one, other = (linear.measure(options, f, seeded()) for f in (digits, shuffled))
    assert (one.holdout, one.train, one.chosen) == (other.holdout, other.train, other.chosen)
    assert one.test["top1"] != other.test["top1"]


def test_held_out_rows_are_not_fitted_while_choosing(digits: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "ENOUGH", 100)
    wrong = digits.train_label.clone()
    wrong[digits.holdout] = (wrong[digits.holdout] + 1) % 10
    f = Features(digits.train, wrong, digits.holdout, digits.test, digits.test_label, 10)
    found = linear.choose(Linear(least_steps=300), f, seeded())
    assert found.by == "holdout"
    assert max(each.top1 for each in found.candidates) < 0.1  # fitted rows would be called what they were taught


def test_equal_generators_give_equal_results(digits: Features) -> None:
    options = Linear(least_steps=60, epochs=1)
    state = torch.get_rng_state()
    assert linear.measure(options, digits, seeded(3)) == linear.measure(options, digits, seeded(3))
    assert torch.equal(torch.get_rng_state(), state)


def test_best_is_the_lowest_loss_within_one_standard_error() -> None:
    # standard error of 0.9 on 100 rows: 0.03
    assert best([0.90, 0.88, 0.86], [0.5, 0.4, 0.3], num_rows=100) == 1
    assert best([0.90, 0.88, 0.86], [0.5, 0.4, 0.3], num_rows=10**6) == 0
    assert best([0.90, 0.90], [0.5, 0.4], num_rows=10**6) == 1
    assert best([0.90, 0.90, 0.89], [0.5, 0.4, 0.3], num_rows=None) == 1


def test_number_of_steps() -> None:
    options = Linear(epochs=10, least_steps=50, batch_size=100)
    assert num_steps(options, 1050) == 100
    assert num_steps(options, 40) == 50


def test_without_a_held_out_slice_there_is_nothing_to_choose(digits: Features) -> None:
    bare = Features(digits.train, digits.train_label, digits.holdout[:0], digits.test, digits.test_label, 10)
    with pytest.raises(InputError, match=r"6 candidates .* nothing is held out"):
        linear.measure(Linear(), bare, seeded())
    found = linear.measure(Linear(lrs=(3.0,), least_steps=100), bare, seeded())
    assert found.test["top1"] > 0.9
    assert not found.holdout


@pytest.mark.parametrize("standardise", [True, False])
def test_moments_in_chunks_are_those_of_all_rows_at_once(standardise, monkeypatch):
    monkeypatch.setattr(scaling, "CHUNK", 7)
    rows = 5 + torch.randn(40, 6, generator=seeded()) * torch.tensor([1.0, 2, 0, 0.1, 1e-3, 1])
    which = torch.randperm(40, generator=seeded(1))[:31]
    variance, mean = torch.var_mean(rows[which].double(), dim=0, correction=0)
    found = scaling.moments(rows, which)
    torch.testing.assert_close(found[0], variance.float())
    torch.testing.assert_close(found[1], mean.float())
    assert found[0][2] == 0
    chosen, alone = scaling.Scaling.of(rows, standardise, which), scaling.Scaling.of(rows[which], standardise)
    torch.testing.assert_close(chosen(rows), alone(rows))


def test_rows_that_are_chosen_are_trained_on_as_if_they_stood_alone():
    rows, label = torch.randn(60, 5, generator=seeded()), torch.arange(60) % 3
    which = torch.randperm(60, generator=seeded(1))[:40]
    options, candidates = Linear(least_steps=20, epochs=1, batch_size=16), [Candidate(1.0, 0.0), Candidate(3.0, 1e-3)]
    chosen = linear.train(options, rows, label, 3, candidates, seeded(2), which)
    alone = linear.train(options, rows[which], label[which], 3, candidates, seeded(2))
    torch.testing.assert_close(chosen.weight, alone.weight)
    torch.testing.assert_close(chosen.bias, alone.bias)


def test_judging_in_chunks_is_accuracy_and_mean_loss(monkeypatch):
    monkeypatch.setattr(linear, "ELEMENTS", 40)
    rows, label = torch.randn(60, 5, generator=seeded()), torch.arange(60) % 3
    probes = linear.train(
        Linear(least_steps=20, epochs=1), rows, label, 3, [Candidate(1.0, 0.0), Candidate(9.0, 0.0)], seeded()
    )
    which = torch.arange(5, 50)
    top1, loss = linear.judged(probes, rows, label, which)
    scores = probes.scores(rows[which])
    assert top1.tolist() == pytest.approx([accuracies(each, label[which])["top1"] for each in scores])
    assert loss.tolist() == pytest.approx([F.cross_entropy(each, label[which]).item() for each in scores])
