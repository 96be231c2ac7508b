"""MAE: rebuild an image from a quarter of its patches (He et al. 2021, arXiv:2111.06377).

The encoder sees the visible patches only; a light decoder gets their codes, and one learnt token for each masked patch.
The evaluated feature is the encoder's own: the class token, which the released linear probe takes, or the mean of the
patch tokens (encoder.pool).

Differs from the released code: the first view may have any size the patch divides, with positions to match; a learnt
position code of the encoder is allowed (the paper's is fixed, position: sincos); the loss is computed in float32.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders import positions
from pipelines.encoders.vit import Block, ViT, xavier_
from pipelines.losses.mae import Masking, mae_loss, patchify, random_masking, take, unpatchify
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.mae_encoder import fresh_vit
from pipelines.spec.methods.mae import Options


class Decoder(nn.Module):
    """Transformer blocks over all patches, from the encoder's codes of the visible ones to pixels.

    code, width   size of a token in the encoder and here
    grid          patches a side that the stored positions (fixed sine-cosine, class row zero) are for
    values        pixels of a patch: patch^2 x channels
    """

    pos_embed: Tensor

    def __init__(
        self, code: int, width: int, depth: int, heads: int, grid: int, values: int, mlp_ratio: float = 4.0
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(code, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", positions.sincos_2d(width, grid, grid, "column", class_token=True))
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pred = nn.Linear(width, values)

    def forward(self, latent: Tensor, restore: Tensor, rows: int) -> Tensor:
        """latent (N, 1 + kept, code), class token first; restore (N, L) as in ``Masking`` -> (N, L, values).

        rows: of the patch grid, L / rows columns.
        """
        x = self.embed(latent)
        masked = self.mask_token.to(x.dtype).expand(len(x), 1 + restore.shape[1] - x.shape[1], -1)
        patches = take(torch.cat([x[:, 1:], masked], dim=1), restore)
        x = torch.cat([x[:, :1], patches], dim=1)
        x = x + positions.resized(self.pos_embed, rows, restore.shape[1] // rows)
        for block in self.blocks:
            x = block(x)
        return self.pred(self.norm(x))[:, 1:]


class Rebuilt(NamedTuple):
    """latent (N, 1 + kept, width), prediction (N, L, patch^2 C) as ``patchify`` lays it out, and what was masked."""

    latent: Tensor
    prediction: Tensor
    masking: Masking


class MAE(Method):
    """encoder and decoder. Every process masks at random, so its loss is not that of the joined batch."""

    same_on_processes = False
    row_networks = ("decoder",)
    encoder: ViT

    def __init__(self, options: Options, encoder: ViT, decoder: Decoder) -> None:
        super().__init__()
        self.options, self.encoder, self.decoder = options, encoder, decoder

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). Watched embeddings: what the encoder makes of the visible patches, pooled."""
        (images,) = views
        rebuilt = self.rebuild(images, self._noise(images, progress.generator))
        prediction, target = at_least_float32(rebuilt.prediction), at_least_float32(images)
        with full_precision(images.device):
            loss = mae_loss(target, prediction, rebuilt.masking.mask, self.encoder.patch, self.options.norm_pix)
        latent = at_least_float32(rebuilt.latent.detach())
        pooled = latent[:, 0] if self.encoder.pool == "token" else latent[:, 1:].mean(1)
        return Output(loss, {}, {"embeddings": F.normalize(pooled, dim=1)})

    def rebuild(self, images: Tensor, noise: Tensor) -> Rebuilt:
        """Mask by noise (N, L), the smallest values stay visible, and predict every patch of images (N, 3, H, W)."""
        masking = random_masking(noise, self.options.mask_ratio)
        latent = self.encoder.tokens(images, masking.keep)
        rows = images.shape[-2] // self.encoder.patch
        return Rebuilt(latent, self.decoder(latent, masking.restore, rows), masking)

    @torch.no_grad()
    def pictures(self, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """One picture, ``reconstructions`` (C, 3 H, N W), normalised as images (N, C, H, W) are: a column an image.

        Top: the image. Middle: what the encoder sees, the rest 0. Bottom: visible patches and predicted ones; with
        norm_pix a prediction is put on its true patch's mean and deviation, as no pixel value is predicted then.
        """
        patch, rows = self.encoder.patch, images.shape[-2] // self.encoder.patch
        rebuilt = self.rebuild(images, self._noise(images, generator))
        patches, prediction = patchify(images, patch), rebuilt.prediction.to(images.dtype)
        if self.options.norm_pix:
            variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
            prediction = prediction * (variance + 1e-6).sqrt() + mean
        masked = rebuilt.masking.mask.unsqueeze(-1).to(images.dtype)
        shown = [patches, patches * (1 - masked), torch.where(masked > 0, prediction, patches)]
        strips = [torch.cat(list(unpatchify(part, patch, rows)), dim=2) for part in shown]
        return {"reconstructions": torch.cat(strips, dim=1)}

    def _noise(self, images: Tensor, generator: torch.Generator) -> Tensor:
        length = (images.shape[-2] // self.encoder.patch) * (images.shape[-1] // self.encoder.patch)
        return torch.rand(len(images), length, generator=generator, device=images.device)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> MAE:
    """MAE over a fresh ViT; the decoder's linear layers start Xavier-uniform, its mask token normal with sd 0.02.

    InputError as ``fresh_vit`` raises it.
    """
    encoder = fresh_vit(make_encoder, options.mask_ratio, facts)
    width, values = options.decoder_width, encoder.patch**2 * facts.channels
    grid = facts.image_size // encoder.patch
    decoder = Decoder(encoder.width, width, options.decoder_depth, options.decoder_heads, grid, values)
    xavier_(decoder)
    nn.init.normal_(decoder.mask_token, std=0.02)
    return MAE(options, encoder, decoder)
