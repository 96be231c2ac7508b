"""Chunks of a batch: without batch norm they change no method's gradient; with it they change what they say, and no more."""

import copy

import pytest
import torch
from trainer_tools import equal, every_method, small_method, small_options, small_trainer, weights

from pipelines.encoders.base import Encoder
from pipelines.encoders.norms import split_batch_norm
from pipelines.errors import InputError
from pipelines.training.chunks import chunk_networks, num_chunks


def trainer_of(name: str, limit: int | None, norm: str = "none", **given):
    trainer = small_trainer(small_options(name, **given), device_batch_size=limit, batch_size=24)
    trainer.method = small_method(small_options(name, **given), norm=norm)
    trainer.__post_init__()
    return trainer


def gradients(trainer) -> dict[str, torch.Tensor]:
    """Of the second step, so that queues, banks and targets are not as they were born."""
    for step, batch in enumerate(trainer.data.epoch(0)):
        views = trainer.make_views(batch, torch.Generator().manual_seed(step))
        output = trainer.step(views, batch, step)
    found = {name: p.grad for name, p in trainer.method.named_parameters() if p.grad is not None}
    return found | {"loss": output.loss.detach()}


@every_method
def test_the_gradient_is_that_of_the_whole_batch(name):
    whole, cut = (gradients(trainer_of(name, limit)) for limit in (None, 5))
    assert whole.keys() == cut.keys()
    for key, value in whole.items():
        torch.testing.assert_close(cut[key], value, rtol=1e-3, atol=2e-5 * max(1.0, float(value.abs().max())), msg=key)


@every_method
def test_an_encoder_never_works_on_more_than_its_chunk(name):
    whole, cut = (most_rows(trainer_of(name, limit, norm="batch")) for limit in (None, 5))
    assert cut == -(-whole // 5)


def most_rows(trainer) -> int:
    """The most rows that the first layer of an encoder ever meets."""
    met = []
    for encoder in [module for module in trainer.method.modules() if isinstance(module, Encoder)]:
        layers = [module for module in encoder.modules() if isinstance(module, torch.nn.Conv2d)]
        layers[0].register_forward_pre_hook(lambda _, given: met.append(len(given[0])))
    gradients(trainer)
    return max(met)


def test_running_statistics_move_once_a_chunk_though_it_runs_twice():
    torch.manual_seed(0)
    cut = small_method(small_options("supervised"))
    byhand, images = copy.deepcopy(cut.encoder), torch.randn(12, 3, 16, 16)
    chunk_networks(cut, 3)
    cut.encoder(images).sum().backward()
    for part in images.split(4):
        byhand(part)
    assert equal(dict(cut.encoder.state_dict()), dict(byhand.state_dict()))


def test_chunks_run_again_with_the_same_random_layers():
    """Drop path draws from torch's generator: a second pass that drew anew would give another gradient."""
    method = small_method(small_options("supervised"))
    method.encoder = Dropping(5)
    chunk_networks(method, 4)
    out = method.encoder(torch.randn(24, 3, 16, 16))
    out.sum().backward()
    torch.testing.assert_close(method.encoder.weight.grad, (out != 0).float().sum(0))


class Dropping(Encoder):
    """Each value of a row a sinh of its weight, whose slope at 1 is made 1, or dropped; sinh and the product keep tensors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.map_widths = width, (width,)
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, images):
        return (
            (torch.rand(len(images), self.width) < 0.5).float()
            * torch.sinh(self.weight)
            / torch.cosh(self.weight.detach())
        )

    def feature_maps(self, images):
        return [self(images)]


def test_evaluation_and_weights_know_nothing_of_chunks():
    plain, cut = small_method(small_options("simclr")), small_method(small_options("simclr"))
    chunk_networks(cut, 3)
    assert equal(weights(plain), weights(cut))
    images = torch.randn(7, 3, 16, 16)
    assert torch.equal(plain.eval().encoder(images), cut.eval().encoder(images))


def test_the_record_says_how_many_images_share_their_statistics():
    assert trainer_of("simclr", None, norm="batch").fit().derived["images_per_batch_norm"] == 24
    assert trainer_of("simclr", 10, norm="batch").fit().derived["images_per_batch_norm"] == 8


def test_chunks_are_even_and_as_few_as_it_takes():
    assert [num_chunks(24, limit) for limit in (None, 24, 23, 10, 7, 2)] == [1, 1, 2, 3, 4, 12]


def test_split_batch_norm_says_which_chunk_it_cannot_split():
    method = small_method(small_options("simclr"))
    split_batch_norm(method.encoder, 4)
    chunk_networks(method, 2)
    with pytest.raises(InputError, match="needs a multiple of 4 rows"):
        method.encoder(torch.randn(12, 3, 16, 16))
