"""What methods with a memory bank share (InstDisc, PIRL, CMC): the slots, the draws, and the question asked of them.

Every process holds the whole bank, and all banks stay equal: the visits of all processes are stored on each of them.
"""

from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.losses.info_nce import Contrast, info_nce_from_scores
from pipelines.losses.memory_bank import bank_scores, draw_candidates, initial_bank, update_bank
from pipelines.losses.nce import estimate_log_z, nce
from pipelines.methods.base import Progress
from pipelines.methods.transform import kept_scores, starts, transformed_pair, transformed_scores
from pipelines.spec.methods.parts import FeatureTransform


class MemoryBank(nn.Module):
    """``slots`` (n, dim), one a sample of the pretraining split, never with gradient.

    start: uniform, as released for InstDisc and CMC, squared length 1 on average; unit: rows of length 1 in random
    directions, as InstDisc's paper says and as PIRL starts. Drawn from torch's default generator.
    """

    slots: Tensor

    def __init__(self, num_samples: int, dim: int, start: Literal["uniform", "unit"]) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(int(torch.randint(2**31, ())))  # the caller's seed decides it
        if start == "uniform":
            slots = initial_bank(num_samples, dim, source)
        else:
            slots = F.normalize(torch.randn(num_samples, dim, generator=source), dim=1)
        self.register_buffer("slots", slots)

    def store(self, index: Tensor, features: Tensor, momentum: float) -> None:
        """Mix the visited samples' slots with their features, those of all processes. index (N,), features (N, dim)."""
        update_bank(self.slots, distributed.gather(index), distributed.gather(features), momentum)


class SlotLoss(nn.Module):
    """NCE with a Z that is fixed at the first step, or InfoNCE, of scores against drawn slots.

    ``log_z`` (directions,), one for each kind of question that is asked (CMC has one a direction); NaN until its first
    step. It is there for NCE only. A run that resumes finds it in the checkpoint.
    """

    log_z: Tensor

    def __init__(
        self, form: Literal["nce", "info_nce"], temperature: float, num_samples: int, directions: int = 1
    ) -> None:
        super().__init__()
        self.form, self.temperature, self.num_samples = form, temperature, num_samples
        if form == "nce":
            self.register_buffer("log_z", torch.full((directions,), torch.nan))

    def forward(
        self,
        features: Tensor,
        bank: MemoryBank,
        slots: Tensor,
        progress: Progress,
        direction: int = 0,
        transform: FeatureTransform | None = None,
    ) -> Contrast:
        """features (N, dim) unit rows, slots (N, 1 + K) with the positive in column 0.

        The loss is the mean over anchors, in nats; positive (N,), negative (N, K) scores before the temperature.
        transform: feature transformation with the slot as key; for InfoNCE only.
        """
        if (active := starts(transform, progress)) is not None:
            return self._transformed(active, features, bank.slots.detach(), slots, progress)
        scores = bank_scores(features, bank.slots, slots)
        positive, negative = scores[:, 0], scores[:, 1:]
        if self.form == "info_nce":
            loss = info_nce_from_scores(positive, negative, self.temperature)
        else:
            logits = scores / self.temperature
            if progress.step == 0:
                self.log_z[direction] = joint_log_z(logits, self.num_samples)
            loss = nce(logits, self.log_z[direction], self.num_samples)
        return Contrast.of(loss, positive, negative)

    def _transformed(
        self, transform: FeatureTransform, features: Tensor, bank: Tensor, slots: Tensor, progress: Progress
    ) -> Contrast:
        key = bank[slots[:, 0]]
        far, far_key = transformed_pair(transform, features, key, progress)
        positive = kept_scores(transform, (far * far_key).sum(dim=1), (features * key).sum(dim=1))
        met = far if transform.negatives_meet == "extrapolated" else features
        negative = transformed_scores(transform, bank_scores(met, bank, slots[:, 1:]), progress)
        before = None
        if progress.watching:
            plain = features.detach()
            before = (plain * key).sum(dim=1), bank_scores(plain, bank, slots[:, 1:])
        loss = info_nce_from_scores(positive, negative, self.temperature)
        return Contrast.of(loss, positive, negative, before)


def joint_log_z(logits: Tensor, num_samples: int) -> Tensor:
    """log Z, 0-d, estimated from the logits (N, 1 + K) of all processes together."""
    own = estimate_log_z(logits, num_samples).reshape(1)
    return torch.logsumexp(distributed.gather(own), dim=0) - torch.tensor(float(distributed.world_size())).log()


def draw_slots(index: Tensor, num_samples: int, num_negatives: int, generator: torch.Generator) -> Tensor:
    """(N, 1 + num_negatives) slots of ``draw_candidates``. Rank 0 draws for all processes, so that it does not matter
    how a batch is spread over them."""
    if distributed.world_size() == 1:
        return draw_candidates(index, num_samples, num_negatives, generator)
    everyone = distributed.gather(index)
    mine = torch.empty((len(index), 1 + num_negatives), dtype=torch.int64, device=index.device)
    parts = None
    if distributed.rank() == 0:
        drawn = draw_candidates(everyone, num_samples, num_negatives, generator)
        parts = [part.contiguous() for part in drawn.chunk(distributed.world_size())]
    dist.scatter(mine, parts, src=0)
    return mine
