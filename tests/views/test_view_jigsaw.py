"""Jigsaw patches lie in their cells, every cell is used once, and order and offsets are the drawn ones."""

import torch

from pipelines.spec.views import Jigsaw
from pipelines.views.jigsaw import JigsawDraw, cut_patches, draw_jigsaw

SPEC = Jigsaw(grid=3, cell=5, patch=4)


def test_patches_are_the_drawn_windows():
    planes = torch.rand(3, 6, 15, 15)
    draw = draw_jigsaw(SPEC, 6, torch.Generator().manual_seed(1))
    patches = cut_patches(planes, draw, SPEC)
    assert patches.shape == (3, 6, 9, 4, 4)
    for image in range(6):
        assert sorted(draw.order[image].tolist()) == list(range(9))
        for place in range(9):
            cell, (down, right) = int(draw.order[image, place]), draw.offset[image, place].tolist()
            top, left = cell // 3 * 5 + down, cell % 3 * 5 + right
            assert 0 <= down <= 1
            assert 0 <= right <= 1
            assert torch.equal(patches[:, image, place], planes[:, image, top : top + 4, left : left + 4])


def test_patches_as_large_as_cells_are_a_partition():
    spec = Jigsaw(grid=2, cell=3, patch=3)
    planes = torch.arange(36.0).view(1, 1, 6, 6)
    draw = JigsawDraw(torch.arange(4)[None], torch.zeros(1, 4, 2, dtype=torch.long))
    expected = planes.view(2, 3, 2, 3).transpose(1, 2).reshape(4, 3, 3)
    assert torch.equal(cut_patches(planes, draw, spec)[0, 0], expected)
