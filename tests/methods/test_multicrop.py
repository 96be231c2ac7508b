"""Views of several sizes through one encoder."""

import pytest
import torch
from torch import nn

from pipelines.methods.multicrop import encode_by_size


@pytest.mark.parametrize("sides", [(4, 4, 2, 2, 2), (4, 2, 4), (3,)])
def test_features_come_in_the_order_of_the_views(sides):
    views = [torch.full((2, 1, side, side), float(i)) for i, side in enumerate(sides)]
    features = encode_by_size(lambda images: images.mean((2, 3)), views)
    assert features.flatten().tolist() == [float(i) for i in range(len(sides)) for _ in range(2)]


def test_equal_sizes_are_one_pass():
    seen: list[tuple[int, ...]] = []

    def encode(images: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(images.shape))
        return images.flatten(1)[:, :1]

    encode_by_size(encode, [torch.zeros(2, 3, 8, 8)] * 2 + [torch.zeros(2, 3, 4, 4)] * 4)
    assert seen == [(4, 3, 8, 8), (8, 3, 4, 4)]


def test_batch_norm_sees_the_views_of_a_size_together():
    norm = nn.BatchNorm2d(1, affine=False)
    views = [torch.zeros(4, 1, 2, 2), torch.ones(4, 1, 2, 2), torch.full((4, 1, 1, 1), 7.0)]
    one, other, alone = encode_by_size(lambda images: norm(images).mean((2, 3)), views).chunk(3)
    torch.testing.assert_close(one, torch.full((4, 1), -1.0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(other, torch.full((4, 1), 1.0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone, torch.zeros(4, 1), rtol=0, atol=1e-3)
