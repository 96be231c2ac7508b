"""What a method is to the loop that trains it: where a step stands goes in, a loss and what to watch come out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder


@dataclass(frozen=True)
class Progress:
    """Where training stands, and this step's source of randomness.

    step         optimizer steps done so far; total_steps of them in the whole run
    epoch        fractional epochs done so far, of ``epochs``
    generator    on the training device, seeded from (seed, step, rank): draws need no state of their own
    joint        like ``generator``, but the same in every process: for draws that all share
    watching     whether monitors read this step: what only they need may be left out otherwise
    """

    step: int
    total_steps: int
    epoch: float
    epochs: int
    generator: torch.Generator
    watching: bool = True
    joint: torch.Generator = field(default_factory=torch.Generator)

    @property
    def fraction(self) -> float:
        """The share of training done, in [0, 1)."""
        return self.step / self.total_steps


@dataclass(frozen=True)
class Output:
    """What one loss call gives.

    loss     0-d, with gradient
    scalars  0-d tensors worth a curve
    watched  detached tensors for monitors, by agreed names: ``embeddings`` (N, D) unit rows, ``positive_scores`` (N,)
             and ``negative_scores`` (N, K), both cosines before the temperature; with feature transformation also
             ``untransformed_positive_scores`` and ``untransformed_negative_scores``, in steps that monitors read
    """

    loss: Tensor
    scalars: dict[str, Tensor] = field(default_factory=dict)
    watched: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module, ABC):
    """Three hooks and nothing else: ``loss``, ``after_step``, ``encoder``.

    A file ``methods/NAME.py`` offers ``build(options, make_encoder, facts) -> Method``. Everything the next step needs
    (queues, banks, centres, teachers) is a parameter or a registered buffer. ``constant_lr`` names modules whose
    learning rate is not scheduled (SimSiam's predictor); ``lr_shares``, where there are any, shares of the learning rate
    with the modules that learn at it, and nothing else learns (probes side by side); ``sync_statistics`` says whether
    batch norm spans processes; ``same_on_processes`` whether, batch norm and draws aside, the mean loss of several
    processes is that of the joined batch in one; ``row_networks`` names parts that, like encoders, take much memory and
    treat every row by itself, so that they can be given a batch in chunks.
    """

    encoder: Encoder
    constant_lr: tuple[nn.Module, ...] = ()
    lr_shares: tuple[tuple[float, nn.Module], ...] = ()
    sync_statistics: bool = True
    same_on_processes: bool = True
    row_networks: tuple[str, ...] = ()

    @abstractmethod
    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """The loss of one batch. views: float tensors on the device, in the order of the recipe."""

    def after_step(self, progress: Progress) -> None:
        """Called once after every optimizer step, with the progress of that step."""
