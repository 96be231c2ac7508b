"""CMC: two views of a scene find each other's slot (Tian et al. 2019, arXiv:1906.05849, eq. 2 to 5 and 7 to 8).

An image in Lab is two views, L and ab, with an encoder and a bank each. The positive is the other view's slot, from the
image's last visit, not its current feature. The losses of all directions are summed, and share one draw of slots.
More views come as fields of the data set (depth beside RGB); evaluation sees images only, so the encoder that is
evaluated has the image's branches, and those of the fields serve training alone.

Differs from the released code: slots change after the optimizer step, which gives the same numbers. For grey images,
where ab is the same everywhere, ``split: edges`` is ours, not the paper's. With fields, crops are drawn in the method,
differently in every process.
"""

import itertools
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.bank import MemoryBank, SlotLoss, draw_slots
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.joint_crop import joint_crop
from pipelines.methods.split import SplitEncoder
from pipelines.spec.methods.cmc import SPLIT_CHANNELS, Options

GREY = 1e-2
"""Largest spread of a colour channel, in halves of its range, at which images count as grey; rounding gives 1e-4."""


class CMC(Method):
    """encoder has the branches of the image's views, field_encoders those of the fields; a head and a bank each.

    num_samples: images of the pretraining split, which ``batch.index`` counts.
    """

    encoder: SplitEncoder
    fresh: tuple[Tensor, list[Tensor]] | None = None
    """Index and features of this step, waiting for after_step to store them."""

    def __init__(
        self,
        options: Options,
        encoder: SplitEncoder,
        field_encoders: list[Encoder],
        heads: list[nn.Module],
        num_samples: int,
    ) -> None:
        super().__init__()
        assert len(heads) == len(encoder.branches) + len(field_encoders)
        self.options, self.encoder, self.num_samples = options, encoder, num_samples
        self.field_encoders, self.heads = nn.ModuleList(field_encoders), nn.ModuleList(heads)
        self.banks = nn.ModuleList(MemoryBank(num_samples, options.dim, options.bank_start) for _ in heads)
        self.directions = directions(len(heads), core=options.pairs == "core")
        self.question = SlotLoss(options.loss, options.temperature, num_samples, len(self.directions))

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W) in the split's colours. InputError where the data lack a field, or lack colour."""
        (image,) = views
        if progress.step == 0:
            self._check(image, batch)
        features = self._features(*self._aligned(image, batch, progress))
        slots = draw_slots(batch.index, self.num_samples, self.options.num_negatives, progress.generator)
        with full_precision(image.device):
            contrasts = [
                self.question(
                    features[anchor], self.banks[target], slots, progress, direction, self.options.feature_transform
                )
                for direction, (anchor, target) in enumerate(self.directions)
            ]
        self.fresh = batch.index, [feature.detach() for feature in features]
        total = torch.stack([contrast.loss for contrast in contrasts]).sum()
        scalars = {
            f"loss_{anchor}_to_{target}": contrast.loss.detach()
            for (anchor, target), contrast in zip(self.directions, contrasts)
        }
        watched = {"embeddings": features[0].detach(), **contrasts[0].watched}
        return Output(total, scalars, watched)

    def after_step(self, progress: Progress) -> None:
        """Store this step's features, each view's in its own bank."""
        assert self.fresh is not None, "after_step without a loss before it"
        index, features = self.fresh
        for bank, feature in zip(self.banks, features, strict=True):
            cast(MemoryBank, bank).store(index, feature, self.options.bank_momentum)
        self.fresh = None

    def _features(self, image: Tensor, fields: list[Tensor]) -> list[Tensor]:
        """(N, dim) unit rows of every view, float32 at least."""
        branches = [*self.encoder.each(image), *(encode(field) for encode, field in zip(self.field_encoders, fields))]
        heads = zip(self.heads, branches, strict=True)
        return [F.normalize(at_least_float32(head(branch)), dim=1) for head, branch in heads]

    def _aligned(self, image: Tensor, batch: Batch, progress: Progress) -> tuple[Tensor, list[Tensor]]:
        """The image and its fields, cropped by one box; fields scaled from 0..255 to [-1, 1]."""
        if not self.options.fields:
            return image, []
        fields = [batch.fields[name].to(image.dtype) / 127.5 - 1 for name in self.options.fields]
        with full_precision(image.device):
            crops = joint_crop([image, *fields], self.options.joint_crop, self.options.joint_flip, progress.generator)
        return crops[0], crops[1:]

    def _check(self, image: Tensor, batch: Batch) -> None:
        for name, channels in self.options.fields.items():
            if name not in batch.fields:
                raise InputError(
                    f"cmc: fields.{name}: the data set has no such field, it has {sorted(batch.fields) or 'none'}; "
                    "name its members in dataset.fields (depth.png is the field depth)"
                )
            if (found := batch.fields[name].shape[1]) != channels:
                raise InputError(f"cmc: fields.{name}: {channels} channels, the data set has {found}; write {found}")
        if self.options.split in ("lab", "ycbcr", "ydbdr"):
            spread = image[:, 1:].amax(dim=(0, 2, 3)) - image[:, 1:].amin(dim=(0, 2, 3))
            if bool((spread < GREY).all()):
                raise InputError(
                    f"cmc: split: {self.options.split}: the images are grey, so the colour view is the same for all and "
                    "there is nothing to learn from it; use split: edges"
                )


def directions(num_views: int, core: bool) -> list[tuple[int, int]]:
    """(anchor, target) of every loss: each ordered pair of views, or with ``core`` those that hold view 0."""
    pairs = itertools.permutations(range(num_views), 2)
    return [pair for pair in pairs if not core or 0 in pair]


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> CMC:
    """CMC over fresh encoders, one a view, each with one linear layer as head."""
    branches = [make_encoder(in_channels=channels) for channels in SPLIT_CHANNELS[options.split]]
    fields = [make_encoder(in_channels=channels) for channels in options.fields.values()]
    heads: list[nn.Module] = [nn.Linear(encoder.width, options.dim) for encoder in (*branches, *fields)]
    return CMC(options, SplitEncoder(options.split, branches), fields, heads, facts.num_samples)
