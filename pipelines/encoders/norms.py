"""Normalisations of convolutional encoders: kinds to choose from, and conversions of batch normalisation."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipelines import distributed
from pipelines.errors import InputError

NormKind = Literal["batch", "group", "none"]


class StridedConv2d(nn.Conv2d):
    """A convolution padded by half its kernel, which reads a map of one pixel by its middle weights alone.

    It is the same function: the other weights fall on padding. In bfloat16 and channels_last memory oneDNN's backward pass
    gives them gradients where they have none, 1e9 and infinities among them (oneDNN 3.13 with AVX-512 BF16). A large stem
    comes to such maps on images of 16 pixels.
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._convolved(input, self.weight)

    def _convolved(self, input: Tensor, weight: Tensor) -> Tensor:
        if tuple(input.shape[2:]) == (1, 1):
            row, column = (side // 2 for side in self.kernel_size)
            return F.conv2d(input, weight[:, :, row : row + 1, column : column + 1], self.bias)
        return F.conv2d(input, weight, self.bias, self.stride, self.padding)


class StandardisedConv2d(StridedConv2d):
    """A convolution whose filters are shifted and scaled to mean 0 and variance 1 (Qiao et al. 2019, arXiv:1903.10520).

    The variance is the biased one over (input channel, row, column); 1e-5 is added to it before the root.
    """

    def forward(self, input: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        return self._convolved(input, (self.weight - mean) * torch.rsqrt(variance + 1e-5))


def conv(kind: NormKind, inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """The convolution that stands before a normalisation of this kind, padded so that stride 1 keeps the size.

    batch: plain, no bias; group: weight-standardised, no bias; none: plain, with bias (no other shift follows).
    """
    plain = StridedConv2d if stride > 1 and kernel > 1 else nn.Conv2d
    make = StandardisedConv2d if kind == "group" else plain
    return make(inside, outside, kernel, stride, padding=kernel // 2, bias=kind == "none")


def norm(kind: NormKind, channels: int) -> nn.Module:
    """The normalisation of (N, channels, H, W) of this kind; none: the identity."""
    match kind:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            return nn.GroupNorm(num_groups(channels), channels)
        case "none":
            return nn.Identity()


def num_groups(channels: int) -> int:
    """Groups of GroupNorm: the largest divisor of ``channels`` that is at most 32 and leaves two channels a group.

    32 from 64 channels on, as Wu and He 2018 (arXiv:1803.08494); two a group, since a single channel of a 1 x 1 map
    would be normalised to zero.
    """
    most = min(32, channels // 2)
    return max((groups for groups in range(1, most + 1) if channels % groups == 0), default=1)


class SplitBatchNorm(_BatchNorm):
    """Batch normalisation in ``splits`` groups of the batch, sample n in group n mod splits: many devices' on one.

    It is what MoCo's CIFAR demo does in place of shuffling between devices. Running statistics are the mean of the
    groups'. Takes (N, C, ...); in training N must be a multiple of splits (else InputError).
    """

    def __init__(self, channels: int, splits: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.splits = splits

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        if len(input) % self.splits:
            raise InputError(
                f"batch of {len(input)} rows: split batch normalisation needs a multiple of {self.splits} rows; "
                f"change batch_size or the number of splits"
            )
        assert self.running_mean is not None
        assert self.running_var is not None
        mean, variance = self.running_mean.repeat(self.splits), self.running_var.repeat(self.splits)
        # A row below holds ``splits`` neighbours of the batch: column block g has the samples n with n mod splits = g.
        grouped = input.reshape(len(input) // self.splits, self.splits * self.num_features, *input.shape[2:])
        weight, bias = self.weight.repeat(self.splits), self.bias.repeat(self.splits)
        out = F.batch_norm(grouped, mean, variance, weight, bias, True, self.momentum or 0.0, self.eps)
        with torch.no_grad():
            self.running_mean.copy_(mean.view(self.splits, -1).mean(0))
            self.running_var.copy_(variance.view(self.splits, -1).mean(0))
            if self.num_batches_tracked is not None:  # a chunk that runs a second time is not counted
                self.num_batches_tracked.add_(1)
        return out.reshape(input.shape)

    def _check_input_dim(self, input: Tensor) -> None:
        assert input.dim() >= 2, f"SplitBatchNorm takes (N, C, ...), got {tuple(input.shape)}"


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation with the statistics of all processes' batches, on any device (torch's own needs a GPU).

    Takes (N, C, ...); the processes may have different N. Means and squared deviations are merged as Chan et al. 1979
    do, so that nothing is lost to the difference of large sums. Gradients flow through every process's statistics.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or distributed.world_size() == 1:
            return super().forward(input)
        mean, variance, count = self._global_statistics(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        with torch.no_grad():
            momentum = self.momentum or 0.0
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
            self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shape = (1, -1, *(1,) * (input.dim() - 2))
        return ((input - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)).to(input.dtype)

    def _global_statistics(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dims = (0, *range(2, input.dim()))
        variance, mean = torch.var_mean(input.float() if input.dtype.itemsize < 4 else input, dim=dims, correction=0)
        count = mean.new_full((1,), input.numel() / input.shape[1])
        parts = distributed.gather_with_gradient(torch.cat([mean, variance, count]).unsqueeze(0))  # (world, 2 C + 1)
        means, variances, counts = parts.split([len(mean), len(mean), 1], dim=1)
        share = counts.detach() / counts.detach().sum()
        mean = (share * means).sum(0)
        return mean, (share * (variances + (means - mean).square())).sum(0), counts.detach().sum()

    def _check_input_dim(self, input: Tensor) -> None:
        assert input.dim() >= 2, f"SyncBatchNorm takes (N, C, ...), got {tuple(input.shape)}"


def split_batch_norm(module: nn.Module, splits: int) -> nn.Module:
    """``module`` with every batch normalisation replaced by a ``SplitBatchNorm`` of the same weights and statistics."""
    return _replace(module, lambda old: SplitBatchNorm(old.num_features, splits, old.eps, old.momentum or 0.1))


def sync_batch_norm(module: nn.Module) -> nn.Module:
    """``module`` with batch statistics over all processes, when there are several; split ones stay split.

    On a GPU torch's fused form, elsewhere this file's. Call it after the process group is up and the module is on its
    device.
    """
    if distributed.world_size() == 1:
        return module
    return _replace(module, _sync_form)


def images_per_batch_norm(module: nn.Module, images: int) -> int | None:
    """Of a step's ``images`` on all processes, how many share their batch statistics in ``module``; none without batch norm.

    The least over its layers. Ask once the module has its final form (``sync_batch_norm``).
    """

    def sharing(layer: _BatchNorm) -> int:
        if isinstance(layer, SyncBatchNorm | nn.SyncBatchNorm):
            return images
        here = images // distributed.world_size()
        return here // layer.splits if isinstance(layer, SplitBatchNorm) else here

    return min((sharing(layer) for layer in module.modules() if isinstance(layer, _BatchNorm)), default=None)


def _sync_form(old: _BatchNorm) -> _BatchNorm:
    on_gpu = old.running_mean is not None and old.running_mean.is_cuda
    make: Callable[..., _BatchNorm] = nn.SyncBatchNorm if on_gpu else SyncBatchNorm
    return make(old.num_features, old.eps, old.momentum, old.affine, old.track_running_stats)


def _replace(module: nn.Module, make: Callable[[_BatchNorm], _BatchNorm]) -> nn.Module:
    """Replace every plain batch normalisation of ``module`` (itself too), keeping weights, statistics and mode."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        new = make(module)
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            setattr(new, name, value)  # the same tensors: an optimizer that holds them goes on working
        return new.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, _replace(child, make))
    return module
