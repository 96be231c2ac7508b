"""An image as a grid of overlapping patches, each encoded by itself (CPC, arXiv:1807.03748, section 3.3)."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipelines.constants import constant
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError

LUMA = (0.299, 0.587, 0.114)


def grid_side(image_size: int, patch: int, stride: int) -> int:
    """Patches a side of an image of ``image_size`` pixels; 0 or less where not one fits."""
    return (image_size - patch) // stride + 1


def cut_patches(images: Tensor, patch: int, stride: int) -> tuple[Tensor, int, int]:
    """(N, C, H, W) -> (N rows columns, C, patch, patch) in the order image, row, column; rows; columns.

    Pixels that fill no whole patch at the right and the bottom are left out. InputError when not one patch fits.
    """
    if min(images.shape[-2:]) < patch:
        size = "x".join(str(side) for side in images.shape[-2:])
        raise InputError(f"patch: {patch} pixels do not fit in a view of {size}; lower it")
    windows = images.unfold(2, patch, stride).unfold(3, patch, stride)  # (N, C, rows, columns, patch, patch)
    rows, columns = windows.shape[2:4]
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2), rows, columns


def crop_patches(patches: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A random crop of ``share`` of its side for each of (M, C, P, P), in the middle of a border of zeros."""
    side = patches.shape[-1]
    inner = round(side * share)
    if inner >= side:
        return patches
    border = (side - inner) // 2
    corner = torch.randint(side - inner + 1, (2, len(patches), 1), generator=generator, device=patches.device)
    down, right = corner + torch.arange(inner, device=patches.device)  # (M, inner) each
    rows = patches.gather(2, down[:, None, :, None].expand(-1, patches.shape[1], -1, side))
    crops = rows.gather(3, right[:, None, None, :].expand(-1, patches.shape[1], inner, -1))
    result = torch.zeros_like(patches)
    result[:, :, border : border + inner, border : border + inner] = crops
    return result


class PatchEncoder(Encoder):
    """Encodes each patch of an image by itself; the feature of an image is the mean over its patches' (the paper's probe).

    body encodes (M, 1 or 3, patch, patch); grey: it takes one channel, the luma of the normalised colours.
    """

    def __init__(self, body: Encoder, patch: int, stride: int, grey: bool) -> None:
        super().__init__()
        self.body, self.patch, self.stride, self.grey = body, patch, stride, grey
        self.width, self.map_widths = body.width, (body.width,)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, width)."""
        return self.codes(images).mean(dim=(2, 3))

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> one (N, width, rows, columns), a code for each patch."""
        return [self.codes(images)]

    def codes(self, images: Tensor, share: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """(N, 3, H, W) -> (N, width, rows, columns); with a share below 1 of randomly cropped patches."""
        if self.grey:
            images = torch.einsum("nchw,c->nhw", images, constant(LUMA, images.device, images.dtype)).unsqueeze(1)
        patches, rows, columns = cut_patches(images, self.patch, self.stride)
        if share < 1:
            assert generator is not None
            patches = crop_patches(patches, share, generator)
        return self.body(patches).view(len(images), rows, columns, self.width).permute(0, 3, 1, 2)


def without_batch_statistics(module: nn.Module) -> nn.Module:
    """``module`` with every batch norm replaced by layer norm over channels and places, gains and shifts kept.

    InputError for batch norms that do more than normalise (timm fuses some with an activation).
    """
    for name, child in module.named_children():
        if not isinstance(child, _BatchNorm):
            without_batch_statistics(child)
            continue
        if type(child) not in (nn.BatchNorm1d, nn.BatchNorm2d):
            raise InputError(
                f"encoder: holds a {type(child).__name__}, whose batch statistics would tell the patches of an image "
                "apart and which cannot be replaced; use an encoder with group or layer norm"
            )
        new = nn.GroupNorm(1, child.num_features, child.eps, child.affine)
        if child.affine:
            new.load_state_dict({"weight": child.weight, "bias": child.bias})
        setattr(module, name, new)
    return module
