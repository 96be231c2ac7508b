"""MAE's fine-tuning recipe: mixed labels, rates of branches left out, stronger views; torchvision's, and off by default."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from source_tools import noise
from torch import nn
from torchvision.transforms import v2

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.finetune import measure
from pipelines.evaluation.mixed import Mixed
from pipelines.evaluation.strong import StrongViews
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.finetune import Options

LABEL = torch.arange(6) % 3


def mixed(**alphas: float) -> Mixed:
    torch.manual_seed(0)
    encoder = LinearEncoder(48, nn.Flatten())
    made = Mixed(encoder, nn.Identity(), 48, 3, 0.1, **alphas)
    nn.init.normal_(made.linear.weight)
    return made


def images() -> torch.Tensor:
    return torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("alphas", "kind"), [({"mixup": 0.8}, v2.MixUp), ({"cutmix": 1.0}, v2.CutMix)])
def test_the_loss_is_that_of_torchvisions_mixture(alphas, kind):
    made = mixed(**alphas)
    torch.manual_seed(4)
    found = made.loss([images()], batch(6, label=LABEL), progress()).loss
    torch.manual_seed(4)
    torch.randint(1, ())
    view, wanted = kind(alpha=next(iter(alphas.values())), num_classes=3)(images(), LABEL)
    torch.testing.assert_close(found, F.cross_entropy(made.logits(view), wanted, label_smoothing=0.1))
    plain = Classifier.loss(made, [images()], batch(6, label=LABEL), progress()).loss
    assert not torch.allclose(found, plain)


def test_nothing_is_mixed_unless_asked_for():
    made = mixed()
    found = made.loss([images()], batch(6, label=LABEL), progress()).loss
    torch.testing.assert_close(found, F.cross_entropy(made.logits(images()), LABEL, label_smoothing=0.1))


def test_both_mixtures_take_turns_by_lot():
    made, seen = mixed(mixup=0.8, cutmix=1.0), set()
    for seed in range(20):
        torch.manual_seed(seed)
        seen.add(int(torch.randint(len(made.mixes), ())))
    assert seen == {0, 1}
    assert [type(each) for each in made.mixes] == [v2.MixUp, v2.CutMix]


def test_only_a_vit_has_branches_to_leave_out():
    base = SimpleNamespace(encoder=LinearEncoder(3))
    counts = Counts((5, 5), (0, 0), (5, 5), ("a", "b"))
    bench = SimpleNamespace(
        counts=counts, train_label=LABEL.numpy() % 2, num_classes=2, seed=0, base=lambda head_layers: base
    )
    with pytest.raises(InputError, match=r"finetune\.drop_path: only a ViT"):
        measure(Options(drop_path=0.1, label_share=0.5), bench)


def floats(given: Batch, generator: torch.Generator) -> list[torch.Tensor]:
    return [given.images.float()]


def test_randaugment_draws_for_every_image_and_repeats_with_the_step():
    one = torch.from_numpy(noise(1, 3, 16, 16)).expand(8, -1, -1, -1).contiguous()
    given = Batch(one, torch.arange(8), torch.zeros(8, dtype=torch.int64))
    make, state = StrongViews(floats, 9, 0.0), torch.get_rng_state()
    (first,), (again,), (other,) = (make(given, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({image.numpy().tobytes() for image in first}) > 3
    assert torch.equal(torch.get_rng_state(), state)


def test_erasing_leaves_a_box_of_every_image():
    given = Batch(torch.full((5, 3, 16, 16), 7, dtype=torch.uint8), torch.arange(5), torch.zeros(5, dtype=torch.int64))
    (view,) = StrongViews(floats, 0, 1.0)(given, torch.Generator().manual_seed(0))
    shares = (view == 0).all(1).float().mean((1, 2))
    assert ((shares > 0.01) & (shares < 0.4)).all()
    assert shares.unique().numel() > 1
