"""Monitors: closed forms, the collapse they have to flag, and that watching changes nothing."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.history import History
from pipelines.spec.monitored import RECORDED
from pipelines.training.fluctuation import fluctuations
from pipelines.training.monitors import collapsed, effective_rank, feature_spread, read, score_statistics
from pipelines.training.steadiness import steadiness


def rows(n: int, dim: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_evenly_spread_rows_have_spread_one_and_full_rank() -> None:
    corners = torch.cat([torch.eye(16), -torch.eye(16)])  # std of each dimension is exactly 1 / sqrt(16)
    assert feature_spread(corners).item() == pytest.approx(1)
    assert effective_rank(corners).item() == pytest.approx(16)
    assert feature_spread(rows(2000, 64)).item() == pytest.approx(1, abs=0.01)


def test_equal_rows_have_spread_zero_and_rank_one() -> None:
    point = rows(1, 128).expand(300, 128)
    assert feature_spread(point).item() < 1e-3
    assert effective_rank(point).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_rank_of_a_subspace(rank: int) -> None:
    basis = torch.linalg.qr(torch.randn(32, rank, generator=torch.Generator().manual_seed(1)))[0].T
    assert effective_rank(basis.repeat(10, 1)).item() == pytest.approx(rank, rel=1e-4)


def test_rank_by_hand() -> None:
    # three times e1 and once e2: singular values sqrt 3 and 1
    share = math.sqrt(3) / (math.sqrt(3) + 1)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    given = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert effective_rank(given).item() == pytest.approx(math.exp(entropy))


def test_length_and_rotation_of_embeddings_do_not_matter() -> None:
    z = rows(100, 24)
    turn = torch.linalg.qr(torch.randn(24, 24, generator=torch.Generator().manual_seed(2)))[0]
    assert effective_rank(z @ turn).item() == pytest.approx(effective_rank(z).item(), rel=1e-5)
    scaled = z * torch.linspace(0.1, 9, 100).unsqueeze(1)
    assert feature_spread(scaled).item() == pytest.approx(feature_spread(z).item(), rel=1e-5)


def test_score_statistics_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(3)
    positive, negative = torch.randn(5, generator=generator), torch.randn(5, 7, generator=generator)
    means = [sum(row) / 7 for row in negative.tolist()]
    variances = [sum((x - m) ** 2 for x in row) / 6 for row, m in zip(negative.tolist(), means)]
    centre = sum(positive.tolist()) / 5
    expected = {
        "negative_mean": sum(means) / 5,
        "negative_variance": sum(variances) / 5,
        "positive_mean": centre,
        "positive_variance": sum((x - centre) ** 2 for x in positive.tolist()) / 4,
    }
    found = {name: value.item() for name, value in score_statistics(positive, negative).items()}
    assert found == pytest.approx(expected, rel=1e-5)


def test_one_negative_and_one_sample_give_numbers() -> None:
    found = score_statistics(torch.tensor([0.5]), torch.tensor([[0.25]]))
    assert {name: value.item() for name, value in found.items()} == {
        "positive_mean": 0.5,
        "positive_variance": 0.0,
        "negative_mean": 0.25,
        "negative_variance": 0.0,
    }


def test_what_counts_as_collapsed() -> None:
    assert not collapsed(0.9, 60)
    assert collapsed(0.05, 60)
    assert collapsed(0.9, 1.2)
    assert collapsed(math.nan, 60)
    assert collapsed(0.9, math.nan)


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_similarity_without_stop_gradient_is_flagged(stop_gradient: bool) -> None:
    """The two-branch objective of SimSiam in miniature: pulled together on both sides it collapses, with targets not."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32, bias=False))
    last, predict = nn.BatchNorm1d(32, affine=False), nn.Sequential(nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 32))
    head = nn.Sequential(net, last) if stop_gradient else net
    optimizer = torch.optim.SGD([*head.parameters(), *predict.parameters()], lr=0.1, momentum=0.9)
    for _ in range(200):
        x = torch.randn(128, 20)
        z1, z2 = head(x + 0.3 * torch.randn_like(x)), head(x + 0.3 * torch.randn_like(x))
        t1, t2 = (z1.detach(), z2.detach()) if stop_gradient else (z1, z2)
        loss = -(F.cosine_similarity(predict(z1), t2).mean() + F.cosine_similarity(predict(z2), t1).mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seen = read({"embeddings": z1})
    assert collapsed(seen["collapse/spread"], seen["collapse/effective_rank"]) is not stop_gradient, seen


def test_claims_and_tables_may_name_what_training_records(tmp_path: Path) -> None:
    """By the functions that record it, on a run that has everything: nothing more, and nothing left out."""
    sides = ("", "untransformed_")
    scores = {f"{before}positive_scores": torch.rand(4) for before in sides}
    scores |= {f"{before}negative_scores": torch.rand(4, 6) for before in sides}
    values = read({"embeddings": torch.randn(4, 8), **scores})
    with History.open(tmp_path / "history.jsonl") as out:
        for step in range(12):
            out.log(step, {**values, "train/loss": 1.0, "train/gradient_norm": 1.0, "eval/online_knn": 0.5})
    found = {*values, "eval/online_knn"}
    for more in (fluctuations(tmp_path / "history.jsonl"), steadiness(tmp_path / "history.jsonl", 2)):
        found |= {name.removeprefix("final/") for name in more}
    assert found == {f"{family}/{name}" for family, names in RECORDED.items() for name in names}


def test_names_and_thinning() -> None:
    positive, negative = torch.arange(1025.0), torch.zeros(1025, 9000)
    negative[::3, ::3] = 1  # every third of 1025 rows and of 9000 columns: exactly the ones that are read
    seen = read({"positive_scores": positive, "negative_scores": negative})
    assert set(seen) == {f"scores/{side}_{what}" for side in ("positive", "negative") for what in ("mean", "variance")}
    assert seen["scores/negative_mean"] == 1
    assert seen["scores/negative_variance"] == 0
    assert seen["scores/positive_mean"] == pytest.approx(512, abs=1)
    assert set(read({"embeddings": rows(9, 4)})) == {
        "collapse/spread",
        "collapse/effective_rank",
        "collapse/median_cosine",
    }
    assert read({}) == {}
    assert read({"positive_scores": positive}) == {}


def test_reading_changes_nothing() -> None:
    z = rows(64, 16).requires_grad_()
    watched = {"embeddings": z, "positive_scores": z[:, 0], "negative_scores": z @ z.T}
    before, state = {name: value.detach().clone() for name, value in watched.items()}, torch.get_rng_state()
    seen = read(watched)
    assert all(isinstance(value, float) and math.isfinite(value) for value in seen.values())
    assert all(torch.equal(watched[name], before[name]) for name in watched)
    assert torch.equal(torch.get_rng_state(), state)
    assert z.grad is None


def test_half_precision_is_read_in_float32() -> None:
    scores = torch.full((8, 4096), 0.1)
    seen = read({"positive_scores": scores[:, 0].bfloat16(), "negative_scores": scores.bfloat16()})
    assert seen["scores/negative_mean"] == pytest.approx(0.1, abs=5e-4)
    assert seen["scores/negative_variance"] == pytest.approx(0, abs=1e-8)


def test_all_rows_equal_but_one_are_a_collapse_that_only_the_pairs_show():
    from pipelines.training.monitors import collapse_flags, median_cosine

    rows = torch.zeros(64, 8)
    rows[:, 0] = 1
    rows[0, 0] = -1
    assert median_cosine(rows).item() == pytest.approx(1.0)
    metrics = {"final/collapse/spread": 0.25, "final/collapse/effective_rank": 3.0}
    assert collapse_flags(metrics) == []
    assert collapse_flags({**metrics, "final/collapse/median_cosine": 0.99}) == ["collapsed"]


def test_the_median_cosine_of_orthogonal_rows_is_zero_and_ignores_signs():
    from pipelines.training.monitors import median_cosine

    assert median_cosine(torch.eye(6)).item() == 0
    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    assert median_cosine(rows).item() == pytest.approx(1.0)
