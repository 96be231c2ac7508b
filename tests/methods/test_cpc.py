"""CPC: the loss through the method, the context that sees no row below, patches that know nothing of each other."""

import pytest
import torch
from methods.tools import batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import nn
from trainer_tools import SIDE, small_method, small_options

from pipelines.encoders import build_encoder
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods import cpc
from pipelines.methods.base import DataFacts
from pipelines.methods.cpc import CPC
from pipelines.methods.patches import PatchEncoder, crop_patches, cut_patches, without_batch_statistics
from pipelines.methods.row_context import row_context
from pipelines.spec.encoders.alexnet import Options as AlexNet
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.cpc import Options
from pipelines.spec.training import Training


class Pixels(Encoder):
    """A patch of one pixel is its own code."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.map_widths = width, (width,)

    def forward(self, images):
        return images.flatten(1)

    def feature_maps(self, images):
        return [images]


class Fused(nn.BatchNorm2d):
    """Stands for timm's batch norms that hold an activation."""


class Given(nn.Module):
    """A context that does not ask for codes."""

    def __init__(self, context: torch.Tensor) -> None:
        super().__init__()
        self.context = nn.Parameter(context)

    def forward(self, codes):
        return self.context


def of_fixture(given: dict[str, torch.Tensor], dtype: torch.dtype, **options: object) -> CPC:
    """The fixture's codes are images of 7 x 7 pixels, its context and matrices parameters."""
    encoder = PatchEncoder(Pixels(given["z"].shape[1]), 1, 1, grey=False)
    method = CPC(Options(patch_crop=1.0, **options), encoder, Given(given["c"]), len(given["W_k"])).to(dtype)
    method.predictions.data.copy_(given["W_k"])
    return method


@both_precisions
@pytest.mark.parametrize("negatives", ["all", "sampled"])
def test_loss_steps_and_gradients_are_the_reference(negatives, dtype, monkeypatch):
    name = f"cpc_infonce_{negatives}"
    given, expected = tensors(name, dtype), load(name)
    drawn = [given[f"neg_idx_{step}"] for step in range(1, 6)] if negatives == "sampled" else []
    monkeypatch.setattr(cpc, "draw_cpc_negatives", lambda *_, **__: drawn)
    method = of_fixture(given, dtype, negatives=negatives, skip=int(given.get("skip_step", torch.tensor(0))))
    z = given["z"].requires_grad_()
    output = method.loss([z], batch(3), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss_mean"], dtype)
    assert_close(torch.stack([output.scalars[f"step_{k}"] for k in range(1, 6)]), expected["loss_per_step"], dtype)
    assert_close(z.grad, expected["grad_z"], dtype)
    assert_close(method.context.context.grad, expected["grad_c"], dtype)
    assert_close(method.predictions.grad, expected["grad_W_k"], dtype)


def test_the_context_depends_on_its_row_and_those_above_alone():
    """By gradient: of every row of the context with respect to every row of codes."""
    torch.manual_seed(0)
    context, layers = row_context(6, 5, 3).double(), 3
    codes = torch.rand(2, 6, 7, 7, dtype=torch.float64, requires_grad=True)
    for row in range(7):
        (gradient,) = torch.autograd.grad(context(codes)[:, :, row].sum(), codes)
        seen = gradient.abs().sum(dim=(0, 1, 3)) > 0
        assert seen.tolist() == [row - layers <= other <= row for other in range(7)]


def test_a_prediction_does_not_know_the_row_it_predicts():
    """Changing pixels that only the patches of rows below hold leaves the context above as it is, bit for bit."""
    method = small_method(small_options("cpc")).eval()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    changed = images.clone()
    changed[:, :, 8:] = 5.0  # patches of 4 pixels, stride 2: rows 0 to 2 end before pixel 8
    before, after = (method.context(method.encoder.codes(x)) for x in (images, changed))
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert not torch.equal(before[:, :, 3], after[:, :, 3])


def test_patches_know_nothing_of_each_other_unless_batch_norm_is_kept():
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    changed = images.clone()
    changed[1] = 5.0
    changed[0, :, 12:, 12:] = 5.0  # the last patch, and a corner of its three neighbours
    for kept, same in (("layer", True), ("keep", False)):
        method = small_method(small_options("cpc", batch_norm=kept)).train()
        with torch.no_grad():
            before, after = method.encoder.codes(images)[0], method.encoder.codes(changed)[0]
        assert torch.allclose(before[:, :5, :5], after[:, :5, :5], atol=1e-5) == same


def test_patches_are_cut_row_by_row_and_what_fills_none_is_left_out():
    image = torch.arange(49.0).view(1, 1, 7, 7)
    patches, rows, columns = cut_patches(image, 3, 2)
    assert (rows, columns) == (3, 3)
    for number, patch in enumerate(patches):
        top, left = number // 3 * 2, number % 3 * 2
        assert torch.equal(patch, image[0, :, top : top + 3, left : left + 3])
    assert cut_patches(image, 4, 2)[1:] == (2, 2)
    with pytest.raises(InputError, match="8 pixels do not fit in a view of 7x7"):
        cut_patches(image, 8, 2)


def test_a_crop_of_a_patch_moves_its_pixels_into_a_border_of_zeros():
    patches = torch.arange(1.0, 65.0).view(1, 1, 8, 8).expand(500, 2, 8, 8).contiguous()
    cropped = crop_patches(patches, 0.75, torch.Generator().manual_seed(0))
    inner = cropped[:, :, 1:7, 1:7]
    assert cropped.sum() == inner.sum()
    corners = inner[:, 0, 0, 0] - 1
    assert set(corners.tolist()) == {8.0 * down + right for down in range(3) for right in range(3)}
    offsets = torch.arange(6.0)[:, None] * 8 + torch.arange(6.0)
    assert torch.equal(inner, (corners[:, None, None] + 1 + offsets)[:, None].expand(-1, 2, -1, -1))
    assert crop_patches(patches, 1.0, torch.Generator()) is patches


def test_the_feature_of_an_image_is_the_mean_over_its_patches():
    encoder = small_method(small_options("cpc", patch=8, stride=4)).encoder.eval()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    grey = (images * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    single = [encoder.body(grey[:, :, top : top + 8, left : left + 8]) for top in (0, 4, 8) for left in (0, 4, 8)]
    torch.testing.assert_close(encoder(images), torch.stack(single).mean(0))
    torch.testing.assert_close(encoder.feature_maps(images)[0].flatten(2).mean(2), encoder(images))


def test_layer_norm_keeps_gains_and_refuses_what_it_cannot_replace():
    torch.manual_seed(0)
    encoder = build_encoder(ResNet(depth=10, width=8, stem="small", zero_init=True), 16)
    encoder.bn1.weight.data.uniform_()
    gain = encoder.bn1.weight.clone()
    without_batch_statistics(encoder)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in encoder.modules())
    assert torch.equal(encoder.bn1.weight, gain)
    assert encoder.layer1[0].bn2.weight.abs().sum() == 0  # residual branches still start at zero
    with pytest.raises(InputError, match=r"holds a Fused.* use an encoder with group or layer norm"):
        without_batch_statistics(nn.Sequential(nn.Sequential(Fused(4))))


@pytest.mark.parametrize(("image_size", "patch", "rows"), [(256, 64, 7), (64, 16, 7), (32, 8, 7), (16, 4, 7)])
def test_the_grid_is_the_papers_at_every_size(image_size, patch, rows):
    make = lambda in_channels=3: build_encoder(ResNet(depth=10, width=4, stem="small"), image_size, in_channels)  # noqa: E731
    method = cpc.build(Options(), make, DataFacts(10, 2, image_size))
    assert (method.encoder.patch, len(method.predictions)) == (patch, 5)
    assert method.encoder(torch.zeros(1, 3, image_size, image_size)).shape == (1, method.encoder.width)
    assert cut_patches(torch.zeros(1, 3, image_size, image_size), patch, method.encoder.stride)[1:] == (rows, rows)


def test_watched_are_the_codes_in_the_middle():
    method = small_method(small_options("cpc", patch=8, stride=4, patch_crop=1.0))
    images = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    watched = method.loss([images], batch(3), progress()).watched["embeddings"]
    codes = method.encoder.codes(images).detach()[:, :, 1, 1]
    torch.testing.assert_close(watched, codes / codes.norm(dim=1, keepdim=True))


def test_steps_have_to_stay_in_the_grid():
    with pytest.raises(InputError, match="steps: 3 with skip 0 reach beyond a grid of 3 rows"):
        small_method(small_options("cpc", patch=8, stride=4, steps=3))
    assert len(small_method(small_options("cpc", patch=8, stride=4)).predictions) == 2
    assert len(small_method(small_options("cpc", patch=8, stride=4, skip=1)).predictions) == 1
    method = small_method(small_options("cpc"))
    with pytest.raises(InputError, match="grid of 3 rows"):
        method.loss([torch.zeros(2, 3, 8, 8)], batch(2), progress())


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="leaves gaps"):
        Options(patch=8, stride=9)
    with pytest.raises(ValueError, match="64 would do"):
        Options(patch=72).check(Training(), ViT(patch=16), None)
    Options(patch=64).check(Training(), ViT(patch=16), None)
    Options(patch=72).check(Training(), AlexNet(), None)
    make = lambda in_channels=3: build_encoder(AlexNet(share=0.1), 128, in_channels)  # noqa: E731
    with pytest.raises(InputError, match="alexnet needs 63 pixels, these patches have 32"):
        cpc.build(Options(), make, DataFacts(10, 2, 128))
    with pytest.raises(InputError, match="set count: 1"):
        small_method(small_options("cpc")).loss([torch.zeros(2, 3, 16, 16)] * 2, batch(2), progress())


def test_sampled_negatives_promise_nothing_over_processes():
    assert small_method(small_options("cpc")).same_on_processes
    assert not small_method(small_options("cpc", negatives="sampled")).same_on_processes
