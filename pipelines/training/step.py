"""One optimizer step: rates, loss, gradient, its mean over processes, clipping, update."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.method import Method, Output, Progress
from pipelines.randomness import generator
from pipelines.seeds import seed_for
from pipelines.spec.training import Training
from pipelines.training.gradients import GradientMean
from pipelines.training.notices import Notices, riders
from pipelines.training.optimizers import build_optimizer, clip_each, derived_lr, groups_of, set_rates
from pipelines.training.precision import autocast_dtype
from pipelines.training.rates import lr_at, weight_decay_at
from pipelines.training.shares import Shares


@dataclass
class Stepper:
    """Takes the steps of one pretraining; each is a function of the weights, the batch and its number.

    stop, due: asked once a step, whether to end and whether to save; the answers of all processes are in ``notices``.
    """

    method: Method
    training: Training
    seed: int
    device: torch.device
    steps_per_epoch: int
    stop: Callable[[], bool]
    due: Callable[[], bool] = lambda: False
    notices: Notices = field(default_factory=Notices)

    def __post_init__(self) -> None:
        self.lr = derived_lr(self.training)
        self.dtype = autocast_dtype(self.training.precision, self.device)
        self.mean, self.shares = GradientMean(self.method), Shares(self.method)
        self.total_steps = self.training.epochs * self.steps_per_epoch
        self.optimizer: Optimizer = build_optimizer(
            self.shares.groups(groups_of(self.method, self.training)),
            self.training,
            self.lr,
            self.training.lars_lr_in_buffer,
        )
        self.first_weights = first_weights(self.method.encoder)

    def __call__(self, views: list[Tensor], batch: Batch, step: int) -> Output:
        """Move the weights by one batch. The output's scalars have the gradient's norm, before clipping, beside them."""
        if self.training.compile == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
        progress = self.progress(step)
        self._set_rates(step)
        self.method.train()
        self.optimizer.zero_grad(set_to_none=True)
        self.shares.clear()
        output = self._loss(views, batch, progress)
        self.mean.begin(riders(self.stop(), self.due(), output.loss))
        output.loss.backward()
        shares = self.mean.finish()
        self.shares.take()
        norms = self.shares.norms()
        if self.training.clip is not None:
            clip_each(self.shares.parameters(), self.training.clip, norms)
        self.optimizer.step()
        self.method.after_step(progress)
        norm = torch.linalg.vector_norm(norms)
        self.notices.put(torch.cat([shares, norm.reshape(1)]), step, batch.index)
        watched = {"gradient_norm": norm, **(self._first_layer(norms) if progress.watching else {})}
        return Output(output.loss, {**output.scalars, **watched}, output.watched)

    def _first_layer(self, norms: Tensor) -> dict[str, Tensor]:
        """The gradient's norm at the encoder's first layer, out of all ``norms`` (P,); nothing where that layer is frozen.

        Where a ViT becomes unstable it shows there tens of steps before the other layers (MoCo v3, section 4.2).
        """
        having = [parameter for parameter in self.method.parameters() if parameter.grad is not None]
        place = next((i for i, parameter in enumerate(having) if parameter is self.first_weights), None)
        return {} if place is None else {"first_layer_gradient_norm": norms[place]}

    def _loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        low = self.dtype != torch.float32
        with self.layer_draws(progress.step), torch.autocast(self.device.type, self.dtype, enabled=low):
            return self.method.loss(views, batch, progress)

    def _set_rates(self, step: int) -> None:
        set_rates(
            self.optimizer,
            lr_at(self.training, step, self.steps_per_epoch, self.lr),
            weight_decay_at(self.training, step, self.steps_per_epoch),
        )

    @contextlib.contextmanager
    def layer_draws(self, step: int) -> Iterator[None]:
        """Layers that draw by themselves (drop path) read torch's own generator: seed it for this step, then restore it."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed_for(self.seed, "layers", step, distributed.rank()))
            yield

    def progress(self, step: int) -> Progress:
        """Where ``step`` stands, with that step's own generator."""
        draws = generator(self.seed, "method", step, distributed.rank(), device=self.device)
        joint = generator(self.seed, "joint", step, device=self.device)
        epoch = step / self.steps_per_epoch
        return Progress(step, self.total_steps, epoch, self.training.epochs, draws, self.watching(step), joint)

    def watching(self, step: int) -> bool:
        """Whether the step's monitors are read."""
        return step % self.training.monitor_steps == 0 or step + 1 == self.total_steps


def first_weights(encoder: nn.Module) -> Tensor | None:
    """The weights of the first convolution or linear map, in the order in which the encoder holds its layers."""
    maps = (module for module in encoder.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    return next((module.weight for module in maps), None)
