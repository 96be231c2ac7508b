"""PIRL: an image and its jigsaw puzzle find the same slot of a memory bank (Misra and van der Maaten 2020,
arXiv:1912.01991, eq. 3 to 5).

Both branches meet the same slot and the same drawn ones; the bank keeps the image branch alone. NCE has a Z for each
branch, fixed at the first step.
Differs from the authors' code (vissl): patches are cropped, flipped and shuffled, but not jittered in colour; slots
change after the optimizer step, which gives the same numbers.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.bank import MemoryBank, SlotLoss, draw_slots
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.pirl import Options

IMAGE, JIGSAW = 0, 1
"""The two questions, in the order of their Z."""


class JigsawHead(nn.Module):
    """Every patch's feature to ``dim``, then all of them side by side to ``dim``: width -> dim, patches dim -> dim."""

    def __init__(self, width: int, dim: int, patches: int) -> None:
        super().__init__()
        self.patches = patches
        self.patch, self.whole = nn.Linear(width, dim), nn.Linear(patches * dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        """(N, patches, width) in the order they are shown -> (N, dim)."""
        return self.whole(self.patch(features).flatten(1))


class PIRL(Method):
    """encoder, shared by images and patches, with a head for each branch.

    num_samples: images of the pretraining split, which ``batch.index`` counts; jigsaw_head has ``patches``, the number
    of patches a puzzle has.
    """

    fresh: tuple[Tensor, Tensor] | None = None
    """Index and image features of this step, waiting for after_step to store them."""

    def __init__(
        self, options: Options, encoder: Encoder, image_head: nn.Module, jigsaw_head: JigsawHead, num_samples: int
    ) -> None:
        super().__init__()
        self.options = options
        self.encoder, self.image_head, self.jigsaw_head = encoder, image_head, jigsaw_head
        self.bank = MemoryBank(num_samples, options.dim, options.bank_start)
        self.question = SlotLoss(options.loss, options.temperature, num_samples, directions=2)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: images (N, 3, H, W), then puzzles (N, patches, 3, p, p). InputError when the recipe has other patches."""
        image, puzzle = self._checked(views)
        whole = F.normalize(at_least_float32(self.image_head(self.encoder(image))), dim=1)
        patches = self.encoder(puzzle.flatten(0, 1)).unflatten(0, puzzle.shape[:2])
        jigsaw = F.normalize(at_least_float32(self.jigsaw_head(patches)), dim=1)
        count, share = self.options.num_negatives, self.options.jigsaw_weight
        slots = draw_slots(batch.index, len(self.bank.slots), count, progress.generator)
        with full_precision(whole.device):
            transform = self.options.feature_transform
            one = self.question(whole, self.bank, slots, progress, IMAGE, transform)
            other = self.question(jigsaw, self.bank, slots, progress, JIGSAW, transform)
            loss = (1 - share) * one.loss + share * other.loss
        self.fresh = batch.index, whole.detach()
        scalars = {
            "image_loss": one.loss.detach(),
            "jigsaw_loss": other.loss.detach(),
            "image_with_jigsaw": (whole * jigsaw).sum(dim=1).mean().detach(),
        }
        watched = {"embeddings": whole.detach(), **one.watched}
        return Output(loss, scalars, watched)

    def after_step(self, progress: Progress) -> None:
        """Store this step's image features."""
        assert self.fresh is not None, "after_step without a loss before it"
        self.bank.store(*self.fresh, self.options.bank_momentum)
        self.fresh = None

    def _checked(self, views: list[Tensor]) -> tuple[Tensor, Tensor]:
        expected = self.jigsaw_head.patches
        if len(views) != 2 or views[1].dim() != 5 or views[1].shape[1] != expected:
            raise InputError(
                f"pirl: the view recipe must give one image and a jigsaw of {expected} patches, it gives views of shape "
                f"{[tuple(view.shape[1:]) for view in views]}; leave view_recipe out, or set grid to the jigsaw's"
            )
        return views[0], views[1]


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> PIRL:
    """PIRL over a fresh encoder."""
    encoder = make_encoder()
    patches = options.cells(facts.image_size) ** 2
    image_head = nn.Linear(encoder.width, options.dim)
    return PIRL(options, encoder, image_head, JigsawHead(encoder.width, options.dim, patches), facts.num_samples)
