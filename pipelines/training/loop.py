"""The training loop: batches, views, loss, step, schedule, checkpoint, monitors. Resume is exact."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.norms import images_per_batch_norm, sync_batch_norm
from pipelines.errors import BadResult
from pipelines.history import History
from pipelines.method import Method, Output, Progress
from pipelines.randomness import generator, seed_for
from pipelines.spec.training import Training
from pipelines.training import checkpoint, monitors
from pipelines.training.gradients import Votes, average_gradients
from pipelines.training.optimizers import build_optimizer, clip_each, derived_lr, groups_of, set_rates
from pipelines.training.precision import autocast_dtype
from pipelines.training.rates import lr_at, weight_decay_at


class Data(Protocol):
    """What the loop asks of a loader."""

    steps_per_epoch: int
    reading: str
    """How the images come: resident, random, sequential and so on; for the record."""

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from ``first_step`` on."""


class Stopped(Exception):
    """Training was asked to end early (SIGTERM, SIGINT) and has saved a checkpoint."""


MakeViews = Callable[[Batch, torch.Generator], list[Tensor]]
Evaluate = Callable[[Encoder], dict[str, float]]


@dataclass
class Clock:
    """Seconds spent so far, over all attempts of a resumed run."""

    training: float = 0.0
    """In steps, data and views included."""
    views: float = 0.0
    """In data and views; on a GPU only what the host waited for."""
    steps: int = 0


@dataclass(frozen=True)
class Fitted:
    """What training gives besides the weights in the method."""

    metrics: dict[str, float]
    derived: dict[str, Any]
    clock: Clock


@dataclass
class Trainer:
    """One pretraining.

    make_views   batch and generator -> float views
    evaluate     encoder -> metrics on the held-out slice, read every ``online_knn_epochs`` and at the end
    out          folder of history.jsonl and of the checkpoint; none: neither is written
    sound        called before a checkpoint is written; raises where what was learned from was damaged meanwhile
    watch        called with (epoch, metrics) after each evaluation; may raise to stop (pruning)
    """

    method: Method
    data: Data
    make_views: MakeViews
    training: Training
    seed: int
    device: torch.device
    out: Path | None = None
    evaluate: Evaluate | None = None
    watch: Callable[[int, dict[str, float]], None] | None = None
    use_monitors: bool = True
    stop: Callable[[], bool] = lambda: False
    sound: Callable[[], None] = lambda: None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.method.to(self.device)
        self.method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.method.sync_statistics:
            sync_batch_norm(self.method)
        self.lr = derived_lr(self.training)
        self.optimizer = build_optimizer(
            groups_of(self.method, self.training), self.training, self.lr, self.training.lars_lr_in_buffer
        )
        self.total_steps = self.training.epochs * self.data.steps_per_epoch
        self.metrics: dict[str, float] = {}
        self.saved_at = time.monotonic()
        self.votes = Votes()

    def fit(self) -> Fitted:
        """Train to the last epoch, from the checkpoint in ``out`` when there is one."""
        step = self._restore()
        writes = self.out is not None and distributed.rank() == 0
        history = History.open(self.out / "history.jsonl", step) if self.out and writes else None
        per_epoch = self.data.steps_per_epoch
        with history or contextlib.nullcontext():
            for epoch in range(step // per_epoch, self.training.epochs):
                step = self._epoch(epoch, step - epoch * per_epoch, history)
                self._after_epoch(epoch + 1, step, history)
        derived = {
            "lr": self.lr,
            "steps": self.total_steps,
            "steps_per_epoch": per_epoch,
            "reading": self.data.reading,
            "precision": str(self._dtype()),
            "images_per_batch_norm": images_per_batch_norm(self.method.encoder, self.training.batch_size),
        }
        if self.clock.training:
            derived["views_share"] = self.clock.views / self.clock.training
        return Fitted(self.metrics, derived, self.clock)

    def _epoch(self, epoch: int, first: int, history: History | None) -> int:
        step, start = epoch * self.data.steps_per_epoch + first, time.perf_counter()
        for batch in self.data.epoch(epoch, first):
            views = self.make_views(batch, generator(self.seed, "views", step, distributed.rank(), device=self.device))
            self.clock.views += time.perf_counter() - start
            output = self._step(views, batch, step)
            if self._watching(step):
                self._log(step, output, history)
            step += 1
            self.clock.steps += 1
            self.clock.training += time.perf_counter() - start
            if step % self.data.steps_per_epoch and (self._due() or self.votes.carried):
                self._save(step, history)
            start = time.perf_counter()
        return step

    def _step(self, views: list[Tensor], batch: Batch, step: int) -> Output:
        progress = self.progress(step)
        per_epoch = self.data.steps_per_epoch
        set_rates(
            self.optimizer,
            lr_at(self.training, step, per_epoch, self.lr),
            weight_decay_at(self.training, step, per_epoch),
        )
        self.method.train()
        low = self._dtype() != torch.float32
        with self._layer_draws(step), torch.autocast(self.device.type, self._dtype(), enabled=low):
            output = self.method.loss(views, batch, progress)
        self.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        voted = average_gradients(self.method, self.stop)
        if self.training.clip is not None:
            clip_each(self.method.parameters(), self.training.clip)
        self.optimizer.step()
        self.method.after_step(progress)
        self.votes.cast(torch.tensor(float(self.stop())) if voted is None else voted)
        return output

    @contextlib.contextmanager
    def _layer_draws(self, step: int) -> Iterator[None]:
        """Layers that draw by themselves (drop path) read torch's own generator: seed it for this step, then restore it."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed_for(self.seed, "layers", step, distributed.rank()))
            yield

    def progress(self, step: int) -> Progress:
        """Where ``step`` stands, with that step's own generator."""
        draws = generator(self.seed, "method", step, distributed.rank(), device=self.device)
        epoch = step / self.data.steps_per_epoch
        return Progress(step, self.total_steps, epoch, self.training.epochs, draws, self._watching(step))

    def _watching(self, step: int) -> bool:
        return step % self.training.monitor_steps == 0 or step + 1 == self.total_steps

    def _log(self, step: int, output: Output, history: History | None) -> None:
        values = {"train/loss": float(distributed.mean(output.loss))}
        if not math.isfinite(values["train/loss"]):
            raise BadResult(
                f"{self.out or 'training'}: the loss is {values['train/loss']} at step {step} of {self.total_steps}; "
                f"lower lr_per_256 ({self.training.lr_per_256}), lengthen the warm-up or use precision: float32"
            )
        values["train/lr"] = float(self.optimizer.param_groups[0]["lr"])
        if self.use_monitors:
            values |= {f"train/{name}": float(value) for name, value in output.scalars.items()}
            values |= monitors.read(output.watched)
        self.metrics |= {f"final/{name}": value for name, value in values.items()}
        if history:
            history.log(step, values)

    def _after_epoch(self, done: int, step: int, history: History | None) -> None:
        every = self.training.online_knn_epochs
        if self.evaluate and (done == self.training.epochs or (every and done % every == 0)):
            found = self.evaluate(self.method.encoder)
            self.metrics |= {f"final/{name}": value for name, value in found.items()}
            if history:
                history.log(step - 1, found)  # a checkpoint of ``step`` steps keeps what is below
            if self.watch:
                self.watch(done, found)
        if self.training.checkpoint_minutes == 0 or done == self.training.epochs or self._due() or self.votes.carried:
            self._save(step, history)

    def _due(self) -> bool:
        minutes = self.training.checkpoint_minutes
        return minutes > 0 and time.monotonic() - self.saved_at > 60 * minutes

    def _dtype(self) -> torch.dtype:
        return autocast_dtype(self.training.precision, self.device)

    def _save(self, step: int, history: History | None) -> None:
        """Write a checkpoint; then end here if a stop was asked for: all processes do, or none."""
        self.saved_at = time.monotonic()
        if history:
            self.sound()
            history.sync()
            self._write(step)
        if self.votes.carried and step < self.total_steps:
            raise Stopped(f"stopped after step {step} of {self.total_steps}; the same command goes on from there")

    def _write(self, step: int) -> None:
        state = {
            "step": step,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "clock": vars(self.clock),
            "metrics": self.metrics,
        }
        assert self.out is not None
        checkpoint.save(self.out / "checkpoint.pt", state)

    def _restore(self) -> int:
        state = checkpoint.load(self.out / "checkpoint.pt") if self.out else None
        if state is None:
            return 0
        self.method.load_state_dict(state["method"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.clock = Clock(**state["clock"])
        self.metrics = state["metrics"]
        return int(state["step"])
