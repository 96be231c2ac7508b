"""MAE: rebuild the masked patches of an image (He et al. 2021, arXiv:2111.06377, section 3)."""

from typing import NamedTuple

from torch import Tensor


def patchify(images: Tensor, patch: int) -> Tensor:
    """(N, C, H, W) -> (N, L, patch^2 C): patches row by row; inside one: row, column, channel (channel fastest)."""
    n, c, height, width = images.shape
    whole = height % patch == 0 == width % patch
    assert whole, f"{height} x {width} pixels do not divide into patches of {patch}"
    cells = images.reshape(n, c, height // patch, patch, width // patch, patch)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(n, -1, patch * patch * c)


def unpatchify(patches: Tensor, patch: int, rows: int) -> Tensor:
    """The inverse of ``patchify``: (N, L, patch^2 C) -> (N, C, H, W); ``rows`` of the patch grid, H = rows x patch."""
    n, length, values = patches.shape
    columns, c = length // rows, values // patch**2
    cells = patches.reshape(n, rows, columns, patch, patch, c)
    return cells.permute(0, 5, 1, 3, 2, 4).reshape(n, c, rows * patch, columns * patch)


def num_kept(length: int, mask_ratio: float) -> int:
    """How many of ``length`` patches the encoder sees: length x (1 - mask_ratio) in floating point, cut off.

    Cut off, not rounded, as released: 100 patches at 0.9 keep 9 and 10 keep none.
    """
    return int(length * (1 - mask_ratio))


class Masking(NamedTuple):
    """Which of L patches of N images are masked.

    keep     (N, kept) the numbers of the visible patches, in random order
    restore  (N, L) position of each patch in [visible patches, masked patches]
    mask     (N, L) 0 where visible, 1 where masked, float
    """

    keep: Tensor
    restore: Tensor
    mask: Tensor


def random_masking(noise: Tensor, mask_ratio: float) -> Masking:
    """Mask a random subset of patches: the ``num_kept`` smallest of ``noise`` (N, L) stay visible."""
    kept = num_kept(noise.shape[1], mask_ratio)
    order = noise.argsort(dim=1)
    restore = order.argsort(dim=1)
    return Masking(order[:, :kept], restore, (restore >= kept).to(noise.dtype))


def take(tokens: Tensor, numbers: Tensor) -> Tensor:
    """The tokens (N, k, D) at ``numbers`` (N, k) of ``tokens`` (N, L, D); ``keep`` picks, ``restore`` puts back."""
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))


def normalised_pixels(patches: Tensor) -> Tensor:
    """Each patch (..., values) less its mean, over the root of its unbiased variance + 1e-6."""
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()


def mae_loss(images: Tensor, prediction: Tensor, mask: Tensor, patch: int, norm_pix: bool) -> Tensor:
    """Squared error of the masked patches: 0-d, mean over a patch's values and over the batch's masked patches.

    images (N, C, H, W); prediction (N, L, patch^2 C), laid out as by ``patchify``; mask (N, L), 1 where masked
    (at least one).
    norm_pix: the target is ``normalised_pixels`` (the paper's better variant); its values do not compare with plain.
    """
    target = patchify(images, patch)
    if norm_pix:
        target = normalised_pixels(target)
    error = (prediction - target).square().mean(-1)
    return (error * mask).sum() / mask.sum()
