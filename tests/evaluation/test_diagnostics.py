"""Diagnostics of features against closed forms."""

import math

import pytest
import torch
from protocol_tools import changed, features

from pipelines.evaluation.diagnostics import (
    WITHIN,
    alignment,
    diagnose,
    diagnose_views,
    lidar,
    rank_me,
    spread,
    uniformity,
)


def normal(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_one_point_has_uniformity_0_and_two_opposite_ones_minus_8():
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-9)
    assert uniformity(torch.tensor([[1.0, 0], [-3.0, 0]])) == pytest.approx(-8)  # -t |2|^2


def test_orthogonal_rows_have_uniformity_minus_4():
    assert uniformity(2 * torch.eye(7)) == pytest.approx(-4)  # every pair is at a squared distance of 2


def test_alignment_is_the_squared_distance_of_unit_rows():
    x = normal(6, 4)
    assert alignment(x, 3 * x) == pytest.approx(0, abs=1e-12)
    assert alignment(x, -x) == pytest.approx(4)
    assert alignment(torch.eye(4), torch.eye(4).roll(1, 0)) == pytest.approx(2)


def test_spread_is_0_for_a_point_and_1_on_the_axes():
    assert spread(torch.ones(5, 3)) == pytest.approx(0, abs=1e-7)
    assert spread(torch.cat([torch.eye(6), -torch.eye(6)])) == pytest.approx(1)


def test_rank_me_counts_equal_directions_and_follows_the_singular_values():
    assert rank_me(torch.eye(5)) == pytest.approx(5)
    assert rank_me(torch.ones(5, 3)) == pytest.approx(1)
    share = torch.tensor([0.75, 0.25])
    assert rank_me(torch.diag(3 * share)) == pytest.approx(math.exp(-sum(p * math.log(p) for p in share.tolist())))


def test_rank_me_is_the_same_in_every_rotation():
    x, q = normal(20, 6).double(), torch.linalg.qr(normal(6, 6, 1).double()).Q
    assert rank_me(x @ q) == pytest.approx(rank_me(x))


def test_lidar_of_groups_at_the_corners_of_a_simplex_is_their_number_less_one():
    group = torch.arange(5).repeat_interleave(3)
    assert lidar(torch.eye(5)[group], group) == pytest.approx(4, rel=1e-6)


def test_lidar_of_groups_on_a_line_is_1():
    group = torch.arange(6).repeat_interleave(2)
    line = torch.outer(group.float(), torch.tensor([1.0, 2.0, 0.0]))
    assert lidar(line, group) == pytest.approx(1, abs=1e-6)


def test_lidar_agrees_with_the_whole_matrix():
    rows, group = normal(40, 5).double(), torch.arange(8).repeat(5)
    means = torch.stack([rows[group == i].mean(0) for i in range(8)])
    within = sum((rows[group == i] - means[i]).T @ (rows[group == i] - means[i]) for i in range(8)) / 40
    value, vector = torch.linalg.eigh(within + 1e-4 * torch.eye(5))
    root = vector @ torch.diag(value.rsqrt()) @ vector.T
    centred = means - means.mean(0)
    eigenvalues = torch.linalg.eigvalsh(root @ (centred.T @ centred) @ root)
    share = eigenvalues / eigenvalues.sum()
    assert lidar(rows, group) == pytest.approx(math.exp(-(share * share.log()).sum()), rel=1e-6)


def test_all_are_told_of_features_and_test_plays_no_part():
    f = features()
    found = diagnose(f)
    assert set(found) == {"uniformity", "spread", "rank_me", "class_alignment", "class_lidar"}
    assert found["class_alignment"] < alignment(
        f.train, f.train.roll(1, 0)
    )  # neighbours in the file are of other classes
    assert diagnose(changed(f, test=f.test * 0, test_label=f.test_label.flip(0))) == found


def test_classes_that_come_once_have_no_alignment():
    f = features()
    alone = changed(f, train=f.train[:4], train_label=f.train_label[:4], holdout=f.holdout[:0])
    assert set(diagnose(alone)) == {"uniformity", "spread", "rank_me"}


def test_equal_views_align_at_0_and_leave_the_rank_of_the_spread_between_images():
    images = normal(12, 5)
    found = diagnose_views(images.unsqueeze(1).expand(-1, 4, -1))
    variance = torch.linalg.svdvals(images.double() - images.double().mean(0)).square()
    share = variance / variance.sum()
    assert found["alignment"] == pytest.approx(0, abs=1e-12)
    assert found["lidar"] == pytest.approx(math.exp(torch.special.entr(share).sum()), rel=1e-6)


def test_alignment_is_the_mean_over_all_pairs_of_views():
    views = torch.tensor([[[1.0, 0], [0, 2.0], [-1.0, 0]], [[3.0, 0], [3.0, 0], [0, 1.0]]])
    assert diagnose_views(views)["alignment"] == pytest.approx((2 + 4 + 2 + 0 + 2 + 2) / 6)


def test_delta_decides_how_much_a_direction_without_spread_within_counts():
    """Two orthogonal directions between images, of equal variance b; within images the first has variance w, the other none."""
    corner, w = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), 0.25
    views = torch.stack([corner + torch.tensor([w**0.5, 0]), corner - torch.tensor([w**0.5, 0])], dim=1)
    value = torch.tensor([1 / (w + WITHIN), 1 / WITHIN], dtype=torch.float64)
    share = value / value.sum()
    assert diagnose_views(views)["lidar"] == pytest.approx(math.exp(torch.special.entr(share).sum()), rel=1e-5)
