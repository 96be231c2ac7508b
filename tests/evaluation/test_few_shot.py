"""Few-shot: its classifiers against scikit-learn and closed forms, its choice on the held-out slice, its draws."""

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestCentroid

from pipelines.errors import InputError
from pipelines.evaluation import choosing, episodes, few_shot
from pipelines.evaluation.classifiers import logistic, nearest_mean
from pipelines.evaluation.features import Features
from pipelines.evaluation.few_shot import measure
from pipelines.spec.evaluation.few_shot import Options as FewShot


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> Features:
    pixels, label = load_digits(return_X_y=True)
    rows, number = torch.tensor(pixels, dtype=torch.float32), torch.tensor(label)
    test = torch.arange(len(rows)) % 5 == 0
    return Features(rows[~test], number[~test], torch.arange(0, int((~test).sum()), 10), rows[test], number[test], 10)


def blobs(num_classes: int, each: int, spread: float, seed: int = 0) -> Features:
    """Classes at unit vectors of their own, normal noise of sd ``spread`` around them; train, then as much test."""
    label = torch.arange(num_classes).repeat(each)
    rows = F.one_hot(label, num_classes).float().repeat(2, 1)
    rows = rows + spread * torch.randn(rows.shape, generator=seeded(seed))
    train, test = rows.chunk(2)
    return Features(train, label, torch.arange(0, len(label), 3), test, label, num_classes)


def test_more_shots_are_better_and_all_is_nearly_the_linear_probe(digits):
    found = measure(FewShot(draws=3, strengths=(1e-2, 1.0, 1e2)), digits, seeded())
    shots = [found.test[f"{k}_shot"] for k in (1, 2, 4, 8, 16)]
    assert shots == sorted(shots)
    assert 0.4 < shots[0] < 0.75
    assert 0.88 < shots[-1] < 0.98
    assert all(found.chosen[f"{k}_shot_strength"] in (1e-2, 1.0, 1e2) for k in (1, 2, 4, 8, 16))
    assert found.test["1_shot_sd"] > found.test["16_shot_sd"] > 0


def test_logistic_regression_minimises_what_it_says():
    """torch minimises summed cross entropy + strength / 2 |weight|^2, biases free, over the scaled rows."""
    rows = torch.randn(30, 4, generator=seeded(), dtype=torch.float64) * 5 + 3
    label = torch.arange(30) % 3
    query = torch.randn(400, 4, generator=seeded(1), dtype=torch.float64) * 5 + 3
    scaled = (rows - rows.mean(0)) / (rows - rows.mean(0)).square().sum(1).mean().sqrt()
    weight = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        scores = scaled @ weight[:, :4].T + weight[:, 4]
        value = F.cross_entropy(scores, label, reduction="sum") + 0.7 / 2 * weight[:, :4].square().sum()
        value.backward()
        return value

    optimizer.step(objective)
    asked = (query - rows.mean(0)) / (rows - rows.mean(0)).square().sum(1).mean().sqrt()
    expected = (asked @ weight[:, :4].T + weight[:, 4]).argmax(1)
    agreement = (logistic(rows, label, query, 0.7) == expected).double().mean()
    assert agreement > 0.99
    assert (logistic(rows, label, query, 1e6) != expected).any()  # the strength has a part in it


def test_nearest_mean_is_scikit_learns():
    rows, label = torch.randn(40, 6, generator=seeded()), torch.arange(40) % 4
    query = torch.randn(100, 6, generator=seeded(1))
    means = torch.stack([rows[label == c].mean(0) for c in range(4)])
    expected = NearestCentroid().fit(rows.numpy(), label.numpy()).predict(query.numpy())
    assert nearest_mean(means, query).tolist() == expected.tolist()


def test_the_strength_is_chosen_on_the_held_out_slice_and_test_has_no_part(digits):
    options = FewShot(shots=(2,), draws=2, strengths=(1e-2, 1e5))
    other = Features(digits.train, digits.train_label, digits.holdout, digits.test * 0, digits.test_label, 10)
    one, blind = measure(options, digits, seeded()), measure(options, other, seeded())
    assert (one.chosen, one.holdout) == (blind.chosen, blind.holdout)
    assert blind.test["2_shot"] < 0.2 < one.test["2_shot"]
    tops = {s: measure(FewShot(shots=(2,), draws=2, strengths=(s,)), digits, seeded()).test for s in (1e-2, 1e5)}
    assert one.test == tops[one.chosen["2_shot_strength"]]


def test_held_out_rows_are_never_learnt_from(digits, monkeypatch):
    monkeypatch.setattr(choosing, "ENOUGH", 100)
    wrong = digits.train_label.clone()
    wrong[digits.holdout] = (wrong[digits.holdout] + 1) % 10
    f = Features(digits.train, wrong, digits.holdout, digits.test, digits.test_label, 10)
    found = measure(FewShot(shots=(16,), draws=2, strengths=(1e-2, 1.0)), f, seeded())
    assert found.chosen["by"] == "holdout"
    assert found.holdout["16_shot"] < 0.1
    assert found.test["16_shot"] > 0.85


def test_a_draw_has_k_different_images_of_every_class_and_holds_its_smaller_ones():
    label = torch.arange(5).repeat(9)
    rows = few_shot.support(label, torch.arange(3, 45), 5, 4, seeded())
    assert rows.shape == (5, 4)
    assert len(rows.unique()) == 20
    assert int(rows.min()) >= 3
    assert torch.equal(label[rows], torch.arange(5).unsqueeze(1).expand(5, 4))
    assert not torch.equal(rows, few_shot.support(label, torch.arange(3, 45), 5, 4, seeded(1)))


def test_one_shot_episodes_of_two_normal_classes_have_their_closed_form():
    """Query x of class a against supports a and b, normal with sd s around 0, 0 and 1: x is named rightly when u v < 0.

    u = b - a and v = x - (a + b) / 2 are independent and normal, so the share is P(u > 0) P(v < 0) + P(u < 0) P(v > 0).
    """
    s = 0.5
    label = torch.arange(2).repeat(4000)
    rows = (label + s * torch.randn(8000, generator=seeded())).unsqueeze(1)
    places, source = episodes.by_class(label, 2, 2), seeded(1)
    drawn = torch.stack([episodes.draw(places, 2, 2, source) for _ in range(3000)])  # (3000, class, query and support)
    assert (label[drawn][:, 0] != label[drawn][:, 1]).all()
    named = nearest_mean(rows[drawn[:, :, 1]], rows[drawn[:, :, 0]])
    u, v = norm(1, s * math.sqrt(2)), norm(-0.5, s * math.sqrt(1.5))
    expected = u.sf(0) * v.cdf(0) + u.cdf(0) * v.sf(0)
    found = (named == torch.arange(2)).double().mean().item()
    assert found == pytest.approx(expected, abs=0.02)  # 6000 trials: standard error 0.006


def test_episodes_of_separate_classes_are_all_right_and_of_equal_ones_chance():
    clear = measure(FewShot(ways=5, shots=(1, 5), draws=40, queries=5), blobs(8, 30, 0.02), seeded()).test
    assert clear["1_shot"] == clear["5_shot"] == 1
    assert clear["5_shot_ci95"] == 0
    noise = blobs(8, 30, 1000.0)
    lost = measure(FewShot(ways=5, shots=(1, 5), draws=200, queries=5), noise, seeded()).test
    for k in (1, 5):
        assert lost[f"{k}_shot"] == pytest.approx(0.2, abs=0.03)
        assert lost[f"{k}_shot_ci95"] == pytest.approx(1.96 * lost[f"{k}_shot_sd"] / math.sqrt(200))


@pytest.mark.parametrize("classifier", ["logistic", "centroid"])
def test_five_shots_beat_one_in_episodes(digits, classifier):
    found = measure(FewShot(ways=5, shots=(1, 5), draws=40, classifier=classifier), digits, seeded()).test
    assert 0.5 < found["1_shot"] < found["5_shot"] < 1


def test_centroids_over_all_classes_need_no_held_out_slice(digits):
    f = Features(
        digits.train, digits.train_label, torch.empty(0, dtype=torch.int64), digits.test, digits.test_label, 10
    )
    found = measure(FewShot(shots=(1, 16), draws=4, classifier="centroid"), f, seeded())
    assert 0.4 < found.test["1_shot"] < 0.8 < found.test["16_shot"]
    assert not found.chosen
    with pytest.raises(InputError, match="nothing is held out to choose on"):
        measure(FewShot(shots=(1,), draws=1), f, seeded())
    once = measure(FewShot(shots=(1,), draws=1, strengths=(1.0,)), f, seeded())
    assert (set(once.test), once.chosen, once.holdout) == ({"1_shot"}, {"1_shot_strength": 1.0}, {})


def test_equal_generators_give_equal_results(digits):
    for options in (FewShot(shots=(2,), draws=2, strengths=(1.0,)), FewShot(ways=3, shots=(2,), draws=5)):
        state = torch.get_rng_state()
        assert measure(options, digits, seeded(3)) == measure(options, digits, seeded(3))
        assert torch.equal(torch.get_rng_state(), state)
        assert measure(options, digits, seeded(3)) != measure(options, digits, seeded(4))


def test_too_few_images_are_refused_with_the_class():
    with pytest.raises(InputError, match="64 images a class asked for, but class 0 has"):
        measure(FewShot(shots=(64,)), blobs(4, 30, 0.1), seeded())
    with pytest.raises(InputError, match="5 classes asked for, but only 4 of 4 have the 16 test images"):
        measure(FewShot(ways=5, shots=(1,)), blobs(4, 30, 0.1), seeded())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strengths": (1.0,), "classifier": "centroid"}, "strengths belong to classifier: logistic"),
        ({"strengths": (1.0,), "ways": 5}, "strengths belong to classifier: logistic"),
        ({"strengths": (1.0, 2.0), "ways": 5, "classifier": "logistic"}, "no held-out slice to choose among 2"),
        ({"shots": (1, 1)}, "shots must be different numbers"),
        ({"ways": 1}, "greater than or equal to 2"),
    ],
)
def test_what_has_no_meaning_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        FewShot(**given)
