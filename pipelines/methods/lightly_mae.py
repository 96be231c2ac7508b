"""lightly's MAE, put together as the PyTorch example of its documentation does it, around our vision transformer.

Differs from the example: the encoder is ours in place of one of timm's, so that both rows of a pair have one network; the
decoder is the class that replaces the example's, which lightly 1.6 has deprecated, with the two linear layers around it
that the latter had inside; ``norm_pix`` takes lightly's function for it, which the example leaves out.
"""

from typing import cast

import torch
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.methods.base import DataFacts, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.lightly_momentum import Result
from pipelines.randomness import drawing_from, host_generator
from pipelines.spec.methods.lightly import Options

try:
    from lightly.models import utils
    from lightly.models.modules import MaskedVisionTransformerDecoderTIMM
    from lightly.models.modules.masked_vision_transformer_timm import init_weights
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None


class PeerMAE(nn.Module):
    """Visible patches through the encoder, all of them through the decoder, squared error of the masked ones."""

    def __init__(self, options: Options, encoder: ViT, facts: DataFacts) -> None:
        super().__init__()
        assert options.decoder_width
        assert options.decoder_depth
        assert options.decoder_heads
        self.options, patches, width = options, (facts.image_size // encoder.patch) ** 2, options.decoder_width
        self.embed = nn.Linear(encoder.width, width)
        self.decoder = MaskedVisionTransformerDecoderTIMM(patches, width, options.decoder_depth, options.decoder_heads)
        self.predict = nn.Linear(width, encoder.patch**2 * facts.channels)
        self.embed.apply(init_weights)
        self.predict.apply(init_weights)

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        """Embeddings: what the encoder makes of the visible patches, pooled."""
        (images,), encoder = views, cast(ViT, backbone)
        keep, masked = self.masks(images, progress.generator)
        latent = encoder.tokens(images, keep[:, 1:] - 1)  # lightly counts the class token, which is never masked
        prediction = at_least_float32(self.decode(latent, keep, masked))
        with full_precision(images.device):
            target = utils.patchify(at_least_float32(images), encoder.patch)
            if self.options.norm_pix:
                target = utils.normalize_mean_var(target)
            loss = nn.functional.mse_loss(prediction, utils.get_at_index(target, masked - 1))
        pooled = latent[:, 0] if encoder.pool == "token" else latent[:, 1:].mean(1)
        return loss, at_least_float32(pooled)

    def masks(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(N, 1 + kept) and (N, masked): numbers of the tokens that are seen and that are not; 0 is the class token."""
        assert self.options.mask_ratio
        size = len(images), self.decoder.sequence_length
        with drawing_from(host_generator(generator)):
            drawn = utils.random_token_mask(size, self.options.mask_ratio)
        keep, masked = (each.to(images.device, non_blocking=True) for each in drawn)
        return keep, masked

    def decode(self, latent: Tensor, keep: Tensor, masked: Tensor) -> Tensor:
        """latent (N, 1 + kept, width) -> the pixels of the masked patches (N, masked, patch^2 C)."""
        all_masked = utils.repeat_token(self.decoder.mask_token, (len(latent), self.decoder.sequence_length))
        seen = self.embed(latent)
        decoded = self.decoder(utils.set_at_index(all_masked.to(seen.dtype), keep, seen))
        pixels: Tensor = self.predict(utils.get_at_index(decoded, masked))
        return pixels
