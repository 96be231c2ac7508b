"""MAE's encoder at step 0, for whoever writes the rest of the method."""

from torch import nn

from pipelines.encoders.vit import ViT, xavier_
from pipelines.errors import InputError
from pipelines.losses.mae import num_kept
from pipelines.methods.base import DataFacts, MakeEncoder


def fresh_vit(make_encoder: MakeEncoder, mask_ratio: float, facts: DataFacts) -> ViT:
    """MAE's encoder at step 0: linear layers Xavier-uniform, the class token normal with sd 0.02.

    InputError when the encoder is no ViT, or the ratio leaves no patch visible or none masked.
    """
    encoder = make_encoder()
    if not isinstance(encoder, ViT):
        raise InputError("mae leaves patches out, which this encoder cannot; use encoder: vit")
    _check_ratio(mask_ratio, facts.image_size // encoder.patch)
    xavier_(encoder)
    nn.init.normal_(encoder.cls_token, std=0.02)
    return encoder


def _check_ratio(mask_ratio: float, grid: int) -> None:
    kept = num_kept(grid**2, mask_ratio)
    if not 0 < kept < grid**2:
        raise InputError(
            f"mae: mask_ratio {mask_ratio:g} of {grid} x {grid} patches leaves {kept} visible; at least one has to be "
            "visible and one masked: change the ratio, or take smaller patches"
        )
