"""The peers: each of lightly's methods in our loop against a plain loop with lightly's parts, and what it is refused."""

import copy
import importlib
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightly.loss import BarlowTwinsLoss, DINOLoss, NegativeCosineSimilarity, NTXentLoss, SwaVLoss, VICRegLoss
from lightly.models import utils
from lightly.models.modules import MaskedVisionTransformerDecoderTIMM, MaskedVisionTransformerTIMM, heads
from lightly.models.utils import update_momentum
from lightly.utils.scheduler import cosine_schedule
from methods.tools import batch, progress
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from trainer_tools import SIDE, equal, small_method, small_options, small_trainer, weights

from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.methods.lightly import Lightly
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.methods.lightly import MULTI_CROP, USES, Options
from pipelines.spec.training import Training
from pipelines.views.lightly import transform_of
from pipelines.views.peer import PeerViews

every_peer = pytest.mark.parametrize("name", USES)


def peer(name: str, **given: Any) -> Lightly:
    found = small_method(small_options("lightly", method=name, **given))
    assert isinstance(found, Lightly)
    return found


def views(seed: int, small: int = 0) -> list[Tensor]:
    """Two views, and small ones behind them."""
    source = torch.Generator().manual_seed(seed)
    whole = list(torch.randn(2, 16, 3, SIDE, SIDE, generator=source))
    return [*whole, *torch.randn(small, 16, 3, SIDE // 2, SIDE // 2, generator=source)]


def small_views(name: str) -> int:
    return 2 if name in MULTI_CROP else 0


def head(kind: type[nn.Module], given: nn.Module, *widths: int, **more: Any) -> nn.Module:
    """lightly's head of these widths with the weights of ``given``: another class or another width does not load."""
    made = kind(*widths, **more)
    made.load_state_dict(given.state_dict(), strict=True)
    return made


class Plain:
    """A user's own loop with lightly's parts, written after its PyTorch examples, from the same weights."""

    def __init__(self, name: str, method: Lightly) -> None:
        self.name, self.backbone = name, copy.deepcopy(method.encoder)
        width, peer = method.encoder.width, method.peer
        kinds = {
            "simclr": (heads.SimCLRProjectionHead, (width, 16, 8)),
            "moco_v2": (heads.MoCoProjectionHead, (width, width, 8)),
            "byol": (heads.BYOLProjectionHead, (width, 16, 8)),
            "simsiam": (heads.SimSiamProjectionHead, (width, 16, 8)),
            "barlow_twins": (heads.BarlowTwinsProjectionHead, (width, 16, 8)),
            "vicreg": (heads.VICRegProjectionHead, (width, 16, 8)),
        }
        self.head = head(kinds[name][0], peer.projection_head, *kinds[name][1])
        trained = [self.backbone, self.head]
        if name in ("byol", "simsiam"):
            kind = heads.BYOLPredictionHead if name == "byol" else heads.SimSiamPredictionHead
            self.predictor = head(kind, peer.prediction_head, 8, 8, 8)
            trained.append(self.predictor)
        self.slow_backbone, self.slow_head = copy.deepcopy(self.backbone), copy.deepcopy(self.head)
        self.parameters = [parameter for module in trained for parameter in module.parameters()]
        self.contrast = NTXentLoss(0.3, (32, 8) if name == "moco_v2" else 0)
        if name == "moco_v2":
            self.contrast.memory_bank.bank.copy_(peer.criterion.memory_bank.bank)

    def loss(self, x0: Tensor, x1: Tensor) -> Tensor:
        z0, z1 = self.head(self.backbone(x0)), self.head(self.backbone(x1))
        cosine = NegativeCosineSimilarity()
        match self.name:
            case "simclr":
                return self.contrast(z0, z1)
            case "barlow_twins":
                return BarlowTwinsLoss(lambda_param=0.02)(z0, z1)
            case "vicreg":
                return VICRegLoss(lambda_param=20.0, mu_param=30.0, nu_param=2.0)(z0, z1)
            case "simsiam":
                p0, p1 = self.predictor(z0), self.predictor(z1)
                return 0.5 * (cosine(z0.detach(), p1) + cosine(z1.detach(), p0))
            case "byol":
                self.follow()
                slow0, slow1 = (self.slow_head(self.slow_backbone(x)).detach() for x in (x0, x1))
                return 0.5 * (cosine(self.predictor(z0), slow1) + cosine(self.predictor(z1), slow0))
        self.follow()
        return self.contrast(z0, self.slow_head(self.slow_backbone(x1)).detach())

    def follow(self) -> None:
        update_momentum(self.backbone, self.slow_backbone, m=0.9)
        update_momentum(self.head, self.slow_head, m=0.9)


class PlainSwAV:
    """A user's own loop of SwAV, as above; prototypes learn from the second epoch on."""

    def __init__(self, method: Lightly) -> None:
        width, peer = method.encoder.width, method.peer
        self.backbone = copy.deepcopy(method.encoder)
        self.head = head(heads.SwaVProjectionHead, peer.projection_head, width, 16, 8)
        self.prototypes = head(heads.SwaVPrototypes, peer.prototypes, 8, 12, 1)
        self.parameters = [p for module in (self.backbone, self.head, self.prototypes) for p in module.parameters()]
        self.criterion = SwaVLoss(temperature=0.2, sinkhorn_epsilon=0.1)

    def loss(self, views: list[Tensor], epoch: int) -> Tensor:
        self.prototypes.normalize()
        outputs = [self.prototypes(F.normalize(self.head(self.backbone(view)), dim=1), epoch) for view in views]
        return self.criterion(outputs[:2], outputs[2:])[0]

    def after_backward(self, epoch: int) -> None:
        pass


class PlainDINO:
    """A user's own loop of DINO, as above; the last layer learns from the second epoch on."""

    def __init__(self, method: Lightly) -> None:
        width, peer = method.encoder.width, method.peer
        self.teacher, self.student = copy.deepcopy(method.encoder), copy.deepcopy(peer.student_backbone)
        sizes, more = (width, 16, 8, 24), {"freeze_last_layer": 1, "batch_norm": True}
        self.head = head(heads.DINOProjectionHead, peer.student_head, *sizes, **more)
        self.teacher_head = head(heads.DINOProjectionHead, peer.teacher_head, *sizes, **more)
        learning = [p for module in (self.student, self.head) for p in module.parameters()]
        self.parameters = [parameter for parameter in learning if parameter.requires_grad]
        self.criterion = DINOLoss(24, 0.03, 0.06, 3, center_momentum=0.8)

    def loss(self, views: list[Tensor], epoch: int) -> Tensor:
        momentum = cosine_schedule(epoch, 3, 0.9, 1)
        update_momentum(self.student, self.teacher, m=momentum)
        update_momentum(self.head, self.teacher_head, m=momentum)
        teacher = [self.teacher_head(self.teacher(view)).detach() for view in views[:2]]
        return self.criterion(teacher, [self.head(self.student(view)) for view in views], epoch=epoch)

    def after_backward(self, epoch: int) -> None:
        self.head.cancel_last_layer_gradients(epoch)


class PlainMAE:
    """A user's own loop of MAE with lightly's parts alone: its masked transformer is timm's, and takes our weights."""

    def __init__(self, method: Lightly, norm_pix: bool) -> None:
        ours, peer, self.norm_pix = method.encoder, method.peer, norm_pix
        assert isinstance(ours, ViT)
        width, heads, depth = ours.width, ours.blocks[0].attn.heads, len(ours.blocks)
        timm = VisionTransformer(SIDE, ours.patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=0)
        self.encoder = MaskedVisionTransformerTIMM(timm)
        timm.load_state_dict(ours.state_dict(), strict=True)
        self.sizes = {"num_patches": (SIDE // ours.patch) ** 2, "embed_dim": 16, "depth": 1, "num_heads": 2}
        self.decoder = head(MaskedVisionTransformerDecoderTIMM, peer.decoder, **self.sizes)
        self.embed, self.predict = copy.deepcopy(peer.embed), copy.deepcopy(peer.predict)
        self.patch = ours.patch

    @property
    def gradients(self) -> dict[str, Tensor]:
        """Of all that learns, by the name that it has in our method."""
        parts = {
            "encoder": self.encoder.vit,
            "peer.decoder": self.decoder,
            "peer.embed": self.embed,
            "peer.predict": self.predict,
        }
        named = [(f"{part}.{name}", p) for part, module in parts.items() for name, p in module.named_parameters()]
        return {name: p.grad for name, p in named if p.requires_grad}

    def loss(self, images: Tensor, keep: Tensor, masked: Tensor) -> Tensor:
        latent = self.encoder.encode(images, idx_keep=keep)
        everywhere = utils.repeat_token(self.decoder.mask_token, (len(images), self.sizes["num_patches"] + 1))
        decoded = self.decoder(utils.set_at_index(everywhere, keep, self.embed(latent)))
        predicted = self.predict(utils.get_at_index(decoded, masked))
        target = utils.get_at_index(utils.patchify(images, self.patch), masked - 1)
        return F.mse_loss(predicted, utils.normalize_mean_var(target) if self.norm_pix else target)


MULTI_CROP_GIVEN: dict[str, dict[str, Any]] = {
    "swav": {"temperature": 0.2, "epsilon": 0.1, "frozen_epochs": 1.0},
    "dino": {
        "momentum": 0.9, "norm": "batch", "frozen_epochs": 1.0, "centre_momentum": 0.8,
        "teacher_temperature_start": 0.03, "teacher_temperature": 0.06, "teacher_warmup_epochs": 3,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MULTI_CROP)
def test_three_epochs_of_multi_crop_are_those_of_a_plain_loop(name):
    """A step an epoch, so that what thaws, cools and slows down by the epoch does."""
    method = peer(name, **MULTI_CROP_GIVEN[name])
    plain = PlainSwAV(method) if name == "swav" else PlainDINO(method)
    mine = [parameter for key, parameter in method.named_parameters() if "teacher" not in key]
    mine = [parameter for parameter in mine if parameter.requires_grad]
    assert sum(p.numel() for p in mine) == sum(p.numel() for p in plain.parameters)
    ours, theirs = torch.optim.SGD(mine, lr=0.05), torch.optim.SGD(plain.parameters, lr=0.05)
    frozen = 0
    for epoch in range(3):
        given = views(epoch, small=2)
        loss = method.loss(given, batch(16), progress(epoch=float(epoch), epochs=3)).loss
        expected = plain.loss(given, epoch)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
        for optimizer, each in ((ours, loss), (theirs, expected)):
            optimizer.zero_grad()
            each.backward()
        plain.after_backward(epoch)
        for one, other in zip(mine, plain.parameters, strict=True):
            assert (one.grad is None) == (other.grad is None)
            frozen += one.grad is None
            if one.grad is not None:
                torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
        ours.step()
        theirs.step()
    assert frozen == {"swav": 2, "dino": 1}[name]  # prototypes and their biases; directions of the last layer


@pytest.mark.parametrize("norm_pix", [True, False])
def test_mae_is_that_of_a_plain_loop_whose_encoder_is_timm_s(norm_pix):
    method = peer("mae", norm_pix=norm_pix)
    plain = PlainMAE(method, norm_pix)
    images = views(0)[:1]
    keep, masked = method.peer.masks(images[0], progress().generator)
    assert torch.equal(torch.cat([keep, masked], dim=1).sort(dim=1).values, torch.arange(17).expand(len(keep), -1))
    assert keep.shape[1] == 1 + 4  # the class token, and a quarter of the patches
    loss = method.loss(images, batch(16), progress()).loss
    expected = plain.loss(images[0], keep, masked)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    expected.backward()
    mine = {name: p.grad for name, p in method.named_parameters() if p.requires_grad}
    assert mine.keys() - plain.gradients.keys() == {"encoder.pos_embed"}  # theirs are fixed, as are the recipe's
    for name, gradient in plain.gradients.items():
        torch.testing.assert_close(mine[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


GIVEN: dict[str, dict[str, Any]] = {
    "simclr": {"temperature": 0.3},
    "moco_v2": {"temperature": 0.3, "momentum": 0.9, "last_momentum": 0.9},
    "byol": {"momentum": 0.9, "last_momentum": 0.9},
    "simsiam": {},
    "barlow_twins": {"off_diagonal": 0.02},
    "vicreg": {"invariance": 20.0, "variance": 30.0, "covariance": 2.0},
}


@pytest.mark.parametrize("name", GIVEN)
def test_three_steps_are_those_of_a_plain_loop(name):
    """Loss and gradients of every step, from the same weights and views; SGD in between moves weights, averages and banks."""
    method = peer(name, **GIVEN[name])
    plain = Plain(name, method)
    mine = [parameter for parameter in method.parameters() if parameter.requires_grad]
    assert sum(p.numel() for p in mine) == sum(p.numel() for p in plain.parameters)
    ours, theirs = torch.optim.SGD(mine, lr=0.05), torch.optim.SGD(plain.parameters, lr=0.05)
    for step in range(3):
        given = views(step)
        output = method.loss(given, batch(16), progress(step))
        expected = plain.loss(*given)
        torch.testing.assert_close(output.loss, expected, rtol=1e-5, atol=1e-6)
        for optimizer, loss in ((ours, output.loss), (theirs, expected)):
            optimizer.zero_grad()
            loss.backward()
        for one, other in zip(mine, plain.parameters, strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
        ours.step()
        theirs.step()


@every_peer
def test_a_killed_run_with_lightly_s_views_resumes_to_the_same_weights(name, tmp_path):
    def trainer(folder: str, stops_after: int | None = None):
        options = small_options("lightly", method=name)
        made = small_trainer(options, tmp_path / folder, checkpoint_minutes=0.0)
        make = PeerViews(transform_of(name, options.default_views(SIDE), SIDE, (0.5,) * 3, (0.25,) * 3))
        left = iter(range(stops_after if stops_after is not None else 100))

        def until_killed(batch, generator):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return make(batch, generator)

        made.make_views = until_killed
        return made

    whole, broken = trainer("whole"), trainer("broken", stops_after=4)
    whole.fit()
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    again = trainer("broken")
    again.fit()
    assert equal(weights(whole.method), weights(again.method))


def test_the_memory_bank_is_in_the_checkpoint():
    names = [key for key in peer("moco_v2").state_dict() if "memory_bank" in key]
    assert len(names) == 2, names


@every_peer
def test_the_encoder_starts_where_ours_starts(name):
    ours = {"moco_v2": "moco"}.get(name, name)
    assert equal(dict(peer(name).encoder.state_dict()), dict(small_method(small_options(ours)).encoder.state_dict()))


@pytest.mark.parametrize(("epoch", "momentum"), [(0.0, 0.5), (0.9, 0.5), (1.0, 0.75), (2.0, 1.0)])
def test_momentum_follows_a_cosine_by_the_epoch(epoch, momentum):
    """Of three epochs: the first value, halfway, and 1."""
    method = peer("byol", momentum=0.5)
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in method.peer.backbone_momentum.parameters()]
    method.loss(views(0), batch(16), progress(epoch=epoch, epochs=3))
    for old, new in zip(before, method.peer.backbone_momentum.parameters(), strict=True):
        torch.testing.assert_close(new - old, torch.full_like(old, 1 - momentum), rtol=1e-4, atol=1e-5)


@every_peer
def test_defaults_are_those_of_our_method(name):
    ours = importlib.import_module(f"pipelines.spec.methods.{ {'moco_v2': 'moco'}.get(name, name) }").Options()
    options = Options(method=name)
    for option in USES[name]:
        assert getattr(options, option) == getattr(ours, option, 1.0)
    assert options.default_training() == ours.default_training()
    assert options.short_name == f"{name}_lightly"


def test_an_option_of_another_method_is_refused():
    with pytest.raises(ValueError, match="queue_size: byol has no such option; it has momentum, last_momentum, hidden"):
        Options(method="byol", queue_size=64)


def test_a_bank_as_large_as_the_data_and_streaming_are_refused():
    with pytest.raises(ValueError, match="queue_size 64 must be smaller than the 64 images"):
        Options(method="moco_v2", queue_size=64).check(Training(batch_size=16), ResNet(), 64)
    with pytest.raises(ValueError, match="lightly's transforms need resident images; or set transforms: ours"):
        Options().check(Training(data="streaming"), ResNet(), None)
    Options(transforms="ours").check(Training(data="streaming"), ResNet(), None)


@pytest.mark.parametrize("module", ["pipelines.methods.lightly", "pipelines.views.lightly"])
def test_without_the_package_one_clear_error_says_what_to_install(module, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "lightly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightly", None)
    monkeypatch.delitem(sys.modules, module)
    with pytest.raises(InputError, match=r"needs the package lightly .*pip install -e '\.\[peers\]'"):
        importlib.import_module(module)
