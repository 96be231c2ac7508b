"""Where the host's random numbers come from."""

import torch

from pipelines.randomness import host_generator
from pipelines.views.draws import happens, take, uniform
from pipelines.views.place import Place


def test_a_host_generator_repeats_with_its_source_and_differs_from_call_to_call():
    source = torch.Generator().manual_seed(3)
    first, second = (torch.rand(4, generator=host_generator(source)) for _ in range(2))
    assert not torch.equal(first, second)
    again = torch.rand(4, generator=host_generator(torch.Generator().manual_seed(3)))
    assert torch.equal(first, again)


def test_nothing_and_everything_happens_at_0_and_1():
    generator = torch.Generator().manual_seed(0)
    assert not happens(0.0, 1000, generator).any()
    assert happens(1.0, 1000, generator).all()
    drawn = uniform(2.0, 3.0, (1000,), generator)
    assert 2 <= drawn.min() < 2.05
    assert 2.95 < drawn.max() <= 3


def test_take_cuts_every_tensor_of_a_draw():
    place = Place(torch.arange(20).view(5, 4), torch.arange(5) > 2, torch.zeros(5, 2))
    part = take(place, slice(2, 4))
    assert isinstance(part, Place)
    assert part.boxes.tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]
    assert part.flips.tolist() == [False, True]
