"""CPC on images: from the rows above, predict the codes of the patches below (van den Oord et al. 2018, arXiv:1807.03748).

An image is a grid of overlapping patches that are encoded one by one; a context network sees the rows down to its own; one
matrix a step predicts the code k rows further down, told from other patches by InfoNCE. Evaluated is the mean of an image's
codes.

Differs from the paper: the patch encoder is the study's, whole, where the paper ends its ResNet after the third stage; batch
norm in it becomes layer norm where the paper has none; grey is the luma of normalised colours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.alexnet import SMALLEST, AlexNet
from pipelines.errors import InputError
from pipelines.losses.cpc import cpc_all_patches, cpc_sampled, draw_cpc_negatives
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.patches import PatchEncoder, grid_side, without_batch_statistics
from pipelines.methods.row_context import row_context
from pipelines.spec.methods.cpc import Options

MOST_STEPS = 5


class CPC(Method):
    """encoder of patches, context network, and one prediction matrix (width, width) for each of ``steps`` steps.

    negatives all: patches of all processes. sampled: drawn from this process's own patches, so that the loss of several
    processes is not that of the joined batch.
    """

    def __init__(self, options: Options, encoder: PatchEncoder, context: nn.Module, steps: int) -> None:
        super().__init__()
        self.options, self.encoder, self.context = options, encoder, context
        width = encoder.width
        self.predictions = nn.Parameter(
            torch.randn(steps, width, width) / width
        )  # scores start at about the codes' size
        self.same_on_processes = options.negatives == "all"

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). The mean over the steps."""
        if len(views) != 1:
            raise InputError(f"views: cpc takes one view of an image, this recipe makes {len(views)}; set count: 1")
        codes = self._patch_encoder().codes(views[0], self.options.patch_crop, progress.generator)
        check_reach(len(self.predictions), self.options.skip, codes.shape[2])
        context = at_least_float32(self.context(codes))
        codes = at_least_float32(codes)
        with full_precision(codes.device):
            losses = self._losses(codes, context, progress)
        scalars = {f"step_{step}": loss for step, loss in enumerate(losses.detach(), start=1)}
        row, column = (
            side // 2 for side in codes.shape[2:]
        )  # what is compared are patches, means of many are all alike
        return Output(losses.mean(), scalars, {"embeddings": F.normalize(codes.detach()[:, :, row, column], dim=1)})

    def _losses(self, codes: Tensor, context: Tensor, progress: Progress) -> Tensor:
        """(steps,): codes and context (N, width, rows, columns)."""
        skip = self.options.skip
        if self.options.negatives == "all":
            everyone, offset = distributed.gather_with_gradient(codes), distributed.rank() * len(codes)
            return cpc_all_patches(everyone, context, self.predictions, skip=skip, offset=offset)
        images, _, rows, columns = codes.shape
        steps, count = len(self.predictions), self.options.num_negatives
        drawn = draw_cpc_negatives(steps, images, rows, columns, count, progress.generator, skip=skip)
        return cpc_sampled(codes, context, self.predictions, drawn, skip=skip)

    def _patch_encoder(self) -> PatchEncoder:
        assert isinstance(self.encoder, PatchEncoder)
        return self.encoder


def check_reach(steps: int, skip: int, rows: int) -> None:
    """InputError when the furthest prediction falls out of a grid of so many rows."""
    if steps + skip >= rows:
        raise InputError(
            f"steps: {steps} with skip {skip} reach beyond a grid of {rows} rows of patches; steps + skip has to be below "
            "that, so lower them, or patch and stride"
        )


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> CPC:
    """CPC over a fresh encoder of patches. InputError when steps do not fit the grid, or patches the encoder."""
    patch = options.patch or max(2, facts.image_size // 4)
    stride = options.stride or max(1, patch // 2)
    rows = grid_side(facts.image_size, patch, stride)
    steps = options.steps or max(1, min(MOST_STEPS, rows - 1 - options.skip))
    check_reach(steps, options.skip, rows)
    body = make_encoder(in_channels=1 if options.grey else facts.channels)
    if isinstance(body, AlexNet) and patch < SMALLEST:
        raise InputError(
            f"patch: alexnet needs {SMALLEST} pixels, these patches have {patch}; use resnet, or raise patch"
        )
    if options.batch_norm == "layer":
        without_batch_statistics(body)
    encoder = PatchEncoder(body, patch, stride, options.grey)
    return CPC(options, encoder, row_context(encoder.width, options.hidden, options.context_layers), steps)
