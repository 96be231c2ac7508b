"""A training whose loss, gradient or weights are no numbers any more: it ends, and says where, on what, and what is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipelines import distributed
from pipelines.errors import NotANumber
from pipelines.files import write_json
from pipelines.spec.training import Training
from pipelines.training.checkpoint import FILE as CHECKPOINT
from pipelines.training.notices import Broken

FILE = "broken_step.json"
MOST_NAMED = 8
"""Images named in the message; the file has all."""


@dataclass(frozen=True)
class Where:
    """What a message needs to know of the run. saved: the step of its last checkpoint, none where there is none."""

    out: Path | None
    total_steps: int
    saved: int | None
    ids: Sequence[str]

    @property
    def last_good(self) -> str:
        """The way back."""
        if self.saved is None:
            return "no checkpoint was written before"
        place = "checkpoint" if self.out is None else self.out / CHECKPOINT
        return f"the last good checkpoint is {place}, after step {self.saved}"


def check_step(broken: Broken | None, training: Training, where: Where) -> None:
    """NotANumber when a step was broken: names it and its images, and writes them all to broken_step.json in the folder.

    To be asked by all processes after the same step: the images are those of all of them.
    """
    if broken is None:
        return
    rows = [int(row) for row in distributed.gather(broken.index).tolist()]
    names: list[str | int] = [where.ids[row] for row in rows] if where.ids else [*rows]
    shown = ", ".join(str(name) for name in names[:MOST_NAMED])
    message = (
        f"{where.out or 'training'}: the loss or its gradient is not a number at step {broken.step} of "
        f"{where.total_steps} (gradient norm {broken.gradient_norm:g}), on {len(names)} images: {shown}"
    )
    if where.out and distributed.rank() == 0:
        write_json(where.out / FILE, {"step": broken.step, "images": names})
    if len(names) > MOST_NAMED:
        message += f", ... ({FILE} names all)" if where.out else ", ..."
    raise NotANumber(f"{message}; {where.last_good}; {advice(training)}")


def check_weights(weights: Sequence[Tensor], step: int, training: Training, where: Where) -> None:
    """NotANumber when a weight is no number after ``step`` steps, though the last loss was one. The host waits for it."""
    finite = torch.stack([weight.detach().isfinite().all() for weight in weights]).all()
    if float(distributed.mean(finite.float())) < 1:
        raise NotANumber(
            f"{where.out or 'training'}: a weight is not a number after step {step} of {where.total_steps}; "
            f"{where.last_good}; {advice(training)}"
        )


def advice(training: Training) -> str:
    """What usually helps."""
    return f"lower lr_per_256 ({training.lr_per_256}), lengthen the warm-up or use precision: float32"
