"""The second peer: stable-pretraining's classes in our loop against the same classes in a loop of their own."""

import copy
import importlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from methods.tools import batch, progress
from torch import Tensor
from trainer_tools import SIDE, FewImages, equal, small_method, small_options, small_trainer, weights

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.randomness import drawing_from, host_generator
from pipelines.spec.methods.stable_pretraining import USES
from pipelines.spec.views import Augmentation, Views
from pipelines.views.peer import PeerViews

theirs = pytest.importorskip("stable_pretraining", reason="stable-pretraining is not installed: make install-peers")
every_peer = pytest.mark.parametrize("name", USES)
GIVEN: dict[str, dict[str, Any]] = {
    "simclr": {"temperature": 0.3},
    "moco_v2": {"temperature": 0.3, "momentum": 0.9, "last_momentum": 0.95},
    "byol": {"momentum": 0.9, "last_momentum": 1.0},
    "simsiam": {},
    "barlow_twins": {"off_diagonal": 0.02},
    "vicreg": {"invariance": 20.0, "variance": 30.0, "covariance": 2.0},
    "swav": {"temperature": 0.2, "epsilon": 0.1},
}
CLASSES = {
    "simclr": lambda net: theirs.methods.SimCLR(net, (16, 8), temperature=0.3),
    "moco_v2": lambda net: theirs.methods.MoCov2(
        net, (net.width, 8), queue_length=32, temperature=0.3, ema_decay_start=0.9, ema_decay_end=0.95
    ),
    "byol": lambda net: theirs.methods.BYOL(net, (16, 8), (8, 8), ema_decay_start=0.9, ema_decay_end=1.0),
    "simsiam": lambda net: theirs.methods.SimSiam(net, projector_dim=8, predictor_hidden_dim=8),
    "barlow_twins": lambda net: theirs.methods.BarlowTwins(net, (16, 16, 8), lambd=0.02),
    "vicreg": lambda net: theirs.methods.VICReg(net, (16, 16, 8), sim_coeff=20.0, std_coeff=30.0, cov_coeff=2.0),
    "swav": lambda net: theirs.methods.SwAV(net, (16, 8), n_prototypes=12, temperature=0.2, epsilon=0.1),
}
"""As a user of the package builds them around a network of one's own."""


def peer(name: str) -> Any:
    return small_method(small_options("stable_pretraining", method=name, **GIVEN[name]))


def views(seed: int, small: int = 0) -> list[Tensor]:
    """Two views, and small ones behind them."""
    source = torch.Generator().manual_seed(seed)
    whole = list(torch.randn(2, 16, 3, SIDE, SIDE, generator=source))
    return [*whole, *torch.randn(small, 16, 3, SIDE // 2, SIDE // 2, generator=source)]


@every_peer
def test_three_epochs_are_those_of_its_class_in_a_loop_of_its_own(name):
    """A step an epoch: loss and every gradient from the same weights, and moving averages by its own callback."""
    method = peer(name)
    plain = CLASSES[name](copy.deepcopy(method.encoder).eval())  # measured on an image, which moves no statistics so
    plain.load_state_dict(method.peer.state_dict(), strict=True)
    plain.train()
    callback = theirs.callbacks.TeacherStudentCallback()
    callback._wrapper_found = True
    mine, other = ([p for p in each.parameters() if p.requires_grad] for each in (method.peer, plain))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == sum(p.numel() for p in mine)
    optimizers = [torch.optim.SGD(mine, lr=0.05), torch.optim.SGD(other, lr=0.05)]
    for epoch in range(3):
        method.train()
        small = 2 if name == "swav" else 0
        output = method.loss(views(epoch, small), batch(16), progress(epoch=float(epoch), epochs=3))
        whole, rest = views(epoch, small)[:2], views(epoch, small)[2:]
        expected = plain(global_views=whole, local_views=rest).loss if small else plain(*whole).loss
        torch.testing.assert_close(output.loss, expected, rtol=1e-5, atol=1e-6)
        for optimizer, loss in zip(optimizers, (output.loss, expected), strict=True):
            optimizer.zero_grad()
            loss.backward()
        for one, two in zip(mine, other, strict=True):
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-6)
        for optimizer in optimizers:
            optimizer.step()
        method.after_step(progress(epoch=float(epoch), epochs=3))
        trainer = SimpleNamespace(global_step=epoch, current_epoch=epoch, max_epochs=3)
        callback.on_train_batch_end(trainer, plain, None, None, epoch)
    states = method.peer.state_dict(), plain.state_dict()
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=1e-4, atol=1e-6)
    assert output.watched["embeddings"].shape == (16, 8)


@pytest.mark.parametrize("name", ["byol", "moco_v2"])
def test_the_average_moves_and_has_its_first_weights_from_the_encoder(name):
    method = peer(name)
    wrapper = method.peer.backbone
    assert equal(dict(wrapper.teacher.state_dict()), dict(method.encoder.state_dict()))
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in wrapper.teacher.parameters()]
    method.after_step(progress(epoch=0.0, epochs=3))
    for old, new in zip(before, wrapper.teacher.parameters(), strict=True):
        torch.testing.assert_close(new - old, torch.full_like(old, 0.1), rtol=1e-3, atol=1e-4)


@every_peer
def test_the_encoder_starts_where_ours_starts(name):
    ours = {"moco_v2": "moco"}.get(name, name)
    assert equal(dict(peer(name).encoder.state_dict()), dict(small_method(small_options(ours)).encoder.state_dict()))


def images() -> Batch:
    return next(iter(FewImages(8).epoch(0)))


def test_views_are_those_of_the_documentation_s_transforms():
    """Its example for small images, with blur and solarisation, from the same draws."""
    from PIL import Image

    from pipelines.views.stable_pretraining import transform_of

    its = theirs.data.transforms
    plain = its.Compose(
        its.RGB(),
        its.RandomResizedCrop((SIDE, SIDE), scale=(0.2, 1.0)),
        its.RandomHorizontalFlip(p=0.5),
        its.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, p=0.8),
        its.RandomGrayscale(p=0.2),
        its.PILGaussianBlur(sigma=[0.1 * SIDE / 224, 2.0 * SIDE / 224], p=0.5),
        its.RandomSolarize(threshold=128, p=0.2),
        its.ToImage(mean=[0.5, 0.4, 0.3], std=[0.2, 0.25, 0.3]),
    )
    kind = Augmentation(count=2, jitter=(0.4, 0.4, 0.2, 0.1), solarize=0.2)
    make = PeerViews(transform_of("simclr", Views(augmentations=(kind,)), SIDE, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)))
    made = make(images(), torch.Generator().manual_seed(3))
    with drawing_from(host_generator(torch.Generator().manual_seed(3))):
        pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images().images]
        expected = [[plain({"image": picture})["image"] for _ in range(2)] for picture in pictures]
    for ours, rows in zip(made, zip(*expected, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(rows), rtol=0, atol=0)
    assert len({each.flatten()[:50].sum().item() for each in made[0]}) > 1


def test_a_killed_run_with_its_views_resumes_to_the_same_weights(tmp_path):
    from pipelines.views.stable_pretraining import transform_of

    options = small_options("stable_pretraining", method="moco_v2")
    make = PeerViews(transform_of("moco_v2", options.default_views(SIDE), SIDE, (0.5,) * 3, (0.25,) * 3))

    def trainer(folder: str, steps: int) -> Any:
        made, left = small_trainer(options, tmp_path / folder, checkpoint_minutes=0.0), iter(range(steps))

        def until_killed(given: Batch, source: torch.Generator) -> list[Tensor]:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return make(given, source)

        made.make_views = until_killed
        return made

    whole = trainer("whole", 100)
    whole.fit()
    with pytest.raises(KeyboardInterrupt):
        trainer("broken", 4).fit()
    again = trainer("broken", 100)
    again.fit()
    assert equal(weights(whole.method), weights(again.method))


@pytest.mark.parametrize("module", ["pipelines.methods.stable_pretraining", "pipelines.views.stable_pretraining"])
def test_without_the_package_one_clear_error_says_what_to_install(module, monkeypatch):
    importlib.import_module(module)
    for name in [name for name in sys.modules if name.split(".")[0] == "stable_pretraining"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "stable_pretraining", None)
    monkeypatch.delitem(sys.modules, module)
    with pytest.raises(InputError, match=r"needs the package stable-pretraining .*make install-peers"):
        importlib.import_module(module)
