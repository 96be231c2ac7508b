"""DINO: the released loss, head and clipping through the method; teacher, centre, freezing and drop path."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import nn

from pipelines.encoders.drop_path import set_drop_path
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.methods.dino import DINO
from pipelines.methods.dino_head import DINOHead, UnitRowsLinear
from pipelines.spec.encoders import resnet, vit
from pipelines.spec.methods.dino import Options
from pipelines.spec.methods.parts import Crops
from pipelines.spec.training import Training
from pipelines.training.optimizers import clip_each


class Half(nn.Module):
    """One half of the columns: a view of the fixture holds the student's output and the teacher's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.chunk(2, dim=1)[self.number]


class OutputsAlone(nn.Module):
    """Stands for a head: its input is the output already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.last_layer = UnitRowsLinear(1, width, fixed_gain=True)

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return F.normalize(rows, dim=1), rows


@both_precisions
def test_three_steps_of_loss_and_centre_are_the_released_ones(dtype):
    given, expected = tensors("dino_loss", dtype), load("dino_loss")
    count, width = int(given["batch_size"]), given["student_out"].shape[2]
    options = Options(
        outputs=width,
        student_temperature=float(expected["student_temp"]),
        teacher_temperature=float(expected["teacher_temp"]),
        teacher_temperature_start=float(expected["warmup_teacher_temp"]),
        teacher_warmup_epochs=int(expected["warmup_teacher_temp_epochs"]),
        centre_momentum=float(expected["center_momentum"]),
    )
    method = DINO(options, LinearEncoder(width, Half(0)), OutputsAlone(width)).to(dtype)
    method.encoder.body = Half(1)
    method.centre.copy_(given["center_in"])
    for call, epoch in enumerate(given["epochs"].tolist()):
        student = given["student_out"][call].requires_grad_()
        teacher = torch.cat([given["teacher_out"][call], torch.full((4 * count, width), torch.nan, dtype=dtype)])
        now = progress(call, epoch=float(epoch), epochs=int(expected["n_epochs"]))
        output = method.loss(list(torch.cat([student, teacher], dim=1).split(count)), batch(count), now)
        output.loss.backward()
        method.after_step(now)
        assert_close(output.loss, expected["loss"][call], dtype)
        assert_close(student.grad, expected["grad_student"][call], dtype)
        assert_close(method.centre, expected["center_out"][call], dtype)
        entropy, divergence = output.scalars["teacher_entropy"], output.scalars["teacher_student_kl"]
        torch.testing.assert_close(entropy + divergence, output.loss.detach())
        assert 0 < entropy < math.log(width)
        assert divergence > 0


@both_precisions
def test_the_head_is_the_released_one(dtype):
    given, expected = tensors("dino_head", dtype), load("dino_head")
    hidden, inside = given["mlp__0__weight"].shape
    outputs, bottleneck = given["last_layer__weight_v"].shape
    head = DINOHead(inside, hidden, bottleneck, outputs, layers=3, batch_norm=False, fixed_gain=True).to(dtype)
    named = {key.replace("__", "."): value for key, value in given.items() if key.startswith(("mlp", "last_layer"))}
    head.load_state_dict(named, strict=True)
    x = given["x"].requires_grad_()
    unit, out = head(x)
    assert_close(out, expected["out"], dtype)
    assert_close(unit.norm(dim=1), np.ones(len(x)), dtype)
    (out * given["upstream"]).sum().backward()
    assert_close(x.grad, expected["grad_x"], dtype)
    learning = [(name, parameter) for name, parameter in head.named_parameters() if parameter.requires_grad]
    assert "last_layer.weight_g" not in dict(learning)
    for name, parameter in learning:
        assert_close(parameter.grad, expected["grad_" + name.replace(".", "__")], dtype)


@both_precisions
def test_default_training_clips_each_gradient_by_itself_as_released(dtype):
    given, expected = tensors("dino_grad_utils", dtype), load("dino_grad_utils")
    limit = Options().default_training()["clip"]
    assert limit == float(expected["clip"])
    names = ("big", "small", "last_layer_v")
    parameters = [nn.Parameter(torch.zeros_like(given[f"grad_{name}"])) for name in names]
    for parameter, name in zip(parameters, names):
        parameter.grad = given[f"grad_{name}"].clone()
    assert_close(clip_each(parameters, limit), expected["norms"], dtype)
    for parameter, name in zip(parameters, names):
        assert_close(parameter.grad, expected[f"clipped_{name}"], dtype)


def small(**options) -> DINO:
    torch.manual_seed(0)
    chosen = Options(outputs=12, **options)
    head = DINOHead(10, 16, 6, 12, layers=3, batch_norm=False, fixed_gain=chosen.norm_last_layer)
    return DINO(chosen, LinearEncoder(10, nn.Linear(10, 10)), head)


def views(count: int = 4, rows: int = 8) -> list[torch.Tensor]:
    return list(torch.randn(count, rows, 10, generator=torch.Generator().manual_seed(1)))


def train(method: DINO, epochs: tuple[float, ...] = (2.0, 2.0, 2.0)) -> None:
    """One optimizer, built at the start, and a step at each of ``epochs``."""
    learning = [parameter for parameter in method.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.01, weight_decay=0.1)
    for step, epoch in enumerate(epochs):
        now = progress(step, epoch=epoch)
        optimizer.zero_grad()
        method.loss(views(), batch(8), now).loss.backward()
        optimizer.step()
        method.after_step(now)


def test_the_teacher_is_the_moving_average_of_the_student_after_each_step():
    method = small(momentum=0.9)
    follower = method.student.body.weight.detach().clone()
    for step in range(3):
        now = progress(step, 10, epoch=2.0)
        method.loss(views(), batch(8), now).loss.backward()
        with torch.no_grad():
            method.student.body.weight -= 0.1 * method.student.body.weight.grad
        method.after_step(now)
        momentum = 1 - (1 - 0.9) * (1 + math.cos(math.pi * step / 10)) / 2
        follower = momentum * follower + (1 - momentum) * method.student.body.weight.detach()
        torch.testing.assert_close(method.encoder.body.weight, follower)
    assert all(parameter.grad is None for parameter in method.encoder.parameters())


def test_momentum_can_stay_where_it_is():
    method = small(momentum=0.0, momentum_schedule="constant")
    train(method)
    assert torch.equal(method.encoder.body.weight, method.student.body.weight)
    assert torch.equal(method.teacher_head.mlp[0].weight, method.head.mlp[0].weight)


def test_the_teacher_sees_the_first_two_views_alone():
    method, four = small(), views()
    method.loss(four, batch(8), progress())
    centre = method.fresh
    _, outputs = method.teacher_head(method.encoder(torch.cat(four[:2])))
    torch.testing.assert_close(centre, outputs.mean(0, keepdim=True))
    method.loss([*four[:2], *views(6)[4:]], batch(8), progress())
    assert torch.equal(method.fresh, centre)


def test_the_centre_waits_for_the_end_of_the_step():
    method = small()
    first = method.loss(views(), batch(8), progress()).loss
    assert torch.equal(method.loss(views(), batch(8), progress()).loss, first)
    assert not method.centre.any()
    method.after_step(progress())
    assert method.centre.any()


@pytest.mark.parametrize("fixed", [True, False])
def test_the_last_layer_is_frozen_at_first_and_its_gain_for_good_unless_told_otherwise(fixed):
    frozen, trained = small(norm_last_layer=fixed), small(norm_last_layer=fixed)
    before = trained.head.last_layer.weight_v.detach().clone()
    train(frozen, (0.5, 0.99))
    train(trained, (0.5, 1.0))
    assert torch.equal(frozen.head.last_layer.weight_v, before)
    assert not frozen.head.last_layer.weight_g.sub(1).any()
    assert not torch.equal(trained.head.last_layer.weight_v, before)
    assert bool(trained.head.last_layer.weight_g.sub(1).any()) is not fixed


def with_vit(**options) -> DINO:
    torch.manual_seed(0)
    vit = ViT(16, 3, 2, patch=4, image_size=16)
    set_drop_path(vit, 0.5)
    return DINO(
        Options(outputs=12, **options), vit, DINOHead(16, 16, 6, 12, layers=2, batch_norm=True, fixed_gain=True)
    )


def images() -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(2)
    return [torch.randn(4, 3, side, side, generator=source) for side in (16, 16, 8, 8)]


def test_drop_path_is_the_students_alone():
    method = with_vit()
    assert [getattr(block.drop, "p", 0.0) for block in method.student.blocks] == pytest.approx([0.0, 0.05, 0.1])
    assert not any(hasattr(block.drop, "p") for block in method.encoder.blocks)
    method = with_vit(drop_path=0.9)
    teacher = [method.teacher_head(method.encoder(images()[0]))[1] for _ in range(2)]
    assert torch.equal(*teacher)


def test_without_centring_and_sharpening_the_entropy_shows_it():
    flat = small(teacher_temperature=1e6).loss(views(), batch(8), progress()).scalars["teacher_entropy"]
    assert flat.item() == pytest.approx(math.log(12))
    peak = small(teacher_temperature=1e-4).loss(views(), batch(8), progress()).scalars["teacher_entropy"]
    assert peak.item() < 0.1
    uncentred = small(centre_momentum=1.0)
    train(uncentred)
    assert not uncentred.centre.any()


def test_what_does_not_go_together_is_refused_with_a_way_out():
    transformer, convnet, training = vit.Options(drop_path=0.1), resnet.Options(), Training(epochs=20)
    with pytest.raises(ValueError, match="would reach the teacher too"):
        Options().check(training, transformer, None)
    with pytest.raises(ValueError, match="a resnet has none"):
        Options(drop_path=0.1).check(training, convnet, None)
    with pytest.raises(ValueError, match="must be at most epochs"):
        Options(teacher_temperature_start=0.04, teacher_temperature=0.07).check(training, convnet, None)
    Options().check(training, convnet, None)
    with pytest.raises(InputError, match="DINO compares two full-size views"):
        small().loss(views(1), batch(8), progress())


def test_crops_are_the_released_ones_and_smaller_for_small_images():
    kinds = Options().default_views(224).augmentations
    assert all(kind.interpolation == "bicubic" for kind in kinds)
    assert [(kind.count, kind.size, kind.blur, kind.solarize) for kind in kinds] == [
        (1, None, 1.0, 0.0),
        (1, None, 0.1, 0.2),
        (8, 96, 0.5, 0.0),
    ]
    assert [(kind.count, kind.size) for kind in Options().default_views(16).augmentations][2] == (4, 8)
    assert len(Options(crops=Crops(local=0)).default_views(16).kinds) == 2
    own = Crops(local=2, full_scale=(0.5, 1.0), local_scale=(0.3, 0.7))
    scales = [kind.scale for kind in Options(crops=own).default_views(16).kinds]
    assert scales == [(0.5, 1.0)] * 2 + [(0.3, 0.7)] * 2
