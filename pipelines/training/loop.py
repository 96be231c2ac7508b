"""The training loop: batches, views, loss, step, schedule, checkpoint, monitors. Resume is exact."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.norms import images_per_batch_norm
from pipelines.histograms import Histograms
from pipelines.history import FILE as HISTORY
from pipelines.history import History
from pipelines.method import Method, Output
from pipelines.randomness import generator
from pipelines.spec.training import Training
from pipelines.training import checkpoint, monitors
from pipelines.training.beside import Made, beside
from pipelines.training.broken import FILE as BROKEN
from pipelines.training.broken import Where, check_step, check_weights
from pipelines.training.collapse import check_collapse, check_readings
from pipelines.training.networks import prepare
from pipelines.training.score_counts import count, counted
from pipelines.training.shares import unsharded_copy
from pipelines.training.standing import Clock, Due, Standing
from pipelines.training.step import Stepper
from pipelines.training.telling import Telling


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


@dataclass(frozen=True)
class Fitted:
    """What training gives besides the weights in the method."""

    metrics: dict[str, float]
    derived: dict[str, Any]
    clock: Clock
    histograms: Histograms | None = None
    """Of the scores; None for a method that has none."""


@dataclass
class Trainer:
    """One pretraining.

    make_views   batch and generator -> float views
    evaluate     encoder -> metrics on the held-out slice, read every ``online_knn_epochs`` and at the end
    out          folder of history.jsonl and of the checkpoint; none: neither is written
    job          name of the work, which its checkpoints carry: one with another name is refused
    sound        called before a checkpoint is written; raises where what was learned from was damaged meanwhile
    watch        called with (epoch, metrics) after each evaluation; may raise to stop (pruning)
    say          called with a line now and then: how far it is
    restarts     how often it has gone back to a checkpoint; see ``Standing``
    """

    method: Method
    data: Data
    make_views: MakeViews
    training: Training
    seed: int
    device: torch.device
    out: Path | None = None
    job: str = ""
    evaluate: Evaluate | None = None
    watch: Callable[[int, dict[str, float]], None] | None = None
    use_monitors: bool = True
    stop: Callable[[], bool] = lambda: False
    sound: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _: None
    restarts: int = 0
    ids: Sequence[str] = ()
    """Names of the samples by ``batch.index``, for messages; without them the numbers stand there."""
    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        self.standing = Standing(self.job, self.restarts)
        self.plain = unsharded_copy(self.method, self.training)
        self.chunks = prepare(self.method, self.training, self.device)
        self.due, per_epoch = Due(self.training.checkpoint_minutes), self.data.steps_per_epoch
        # the functions alone: a way back to this trainer would keep its data's workers alive
        self.step = Stepper(self.method, self.training, self.seed, self.device, per_epoch, self.stop, self.due)

    @property
    def clock(self) -> Clock:
        """What it has spent."""
        return self.standing.clock

    def fit(self) -> Fitted:
        """Train to the last epoch, from the checkpoint in ``out`` when there is one.

        BadResult when a loss, a gradient or a weight is no number any more; then the checkpoint is one from before that.
        """
        check_readings(self.training.collapse_stop, self.evaluate is not None, self.use_monitors)
        step = self.standing.restore(self.out, self.step)
        self.step.seed = self.standing.seed(self.seed)
        writes = self.out is not None and distributed.rank() == 0
        if self.out and writes:
            (self.out / BROKEN).unlink(missing_ok=True)  # of an attempt before this one
        history = History.open(self.out / HISTORY, step) if self.out and writes else None
        per_epoch = self.data.steps_per_epoch
        self.telling = Telling(self.say, self.training.epochs, per_epoch, self.training.batch_size)
        self.telling.begin(step)
        self.writer = checkpoint.Writer(self.out) if self.out and writes else None
        with history or contextlib.nullcontext(), self.writer or contextlib.nullcontext():
            for epoch in range(step // per_epoch, self.training.epochs):
                step = self._epoch(epoch, step - epoch * per_epoch, history)
                self._after_epoch(epoch + 1, step, history)
        if self.plain:
            self.method = self.step.shares.whole_in(self.plain)
        derived = {
            "lr": self.step.lr,
            "steps": self.step.total_steps,
            "steps_per_epoch": per_epoch,
            "reading": self.data.reading,
            "precision": str(self.step.dtype),
            "images_per_batch_norm": images_per_batch_norm(
                self.method.encoder, self.training.batch_size // self.chunks
            ),
        }
        if self.standing.restarts:
            derived["restarts"] = self.standing.restarts
        if self.clock.training:
            derived["views_share"] = self.clock.views / self.clock.training
        return Fitted(self.standing.metrics, derived, self.clock, counted(self.standing.counts, self.step.total_steps))

    def _epoch(self, epoch: int, first: int, history: History | None) -> int:
        step, start = epoch * self.data.steps_per_epoch + first, time.perf_counter()
        for batch, views in beside(self._made(epoch, first), self.device):
            self.clock.views += time.perf_counter() - start
            output = self.step(views, batch, step)
            watching = self.step.watching(step)
            if watching:
                self.step.notices.settle()  # what follows waits for the device anyway
            self._check_step()
            if watching:
                self._log(step, output, history)
            step += 1
            self.clock.steps += 1
            self.clock.training += time.perf_counter() - start
            self.telling.look(step)
            if step % self.data.steps_per_epoch and (self.step.notices.due or self.step.notices.stop):
                self._save(step, history)
            start = time.perf_counter()
        return step

    def _made(self, epoch: int, first: int) -> Iterator[Made]:
        """The batches of an epoch from ``first`` on, each with its views."""
        step = epoch * self.data.steps_per_epoch + first
        for each, batch in enumerate(self.data.epoch(epoch, first), step):
            draws = generator(self.step.seed, "views", each, distributed.rank(), device=self.device)
            yield batch, self.make_views(batch, draws)

    def _check_step(self) -> None:
        check_step(self.step.notices.broken, self.training, self._where())

    def _where(self) -> Where:
        return Where(self.out, self.step.total_steps, self.standing.saved, self.ids)

    def _log(self, step: int, output: Output, history: History | None) -> None:
        values = {"train/loss": float(distributed.mean(output.loss))}
        values["train/lr"] = float(self.step.optimizer.param_groups[0]["lr"])
        if self.use_monitors:
            values |= {f"train/{name}": float(value) for name, value in output.scalars.items()}
            values |= monitors.read(output.watched)
            count(self.standing.counts, output.watched, step, self.step.total_steps)
        self.standing.metrics |= {f"final/{name}": value for name, value in values.items()}
        self.telling.loss = values["train/loss"]
        if history:
            history.log(step, values)

    def _after_epoch(self, done: int, step: int, history: History | None) -> None:
        self.step.notices.settle()
        self._check_step()
        every = self.training.online_knn_epochs
        if self.evaluate and (done == self.training.epochs or (every and done % every == 0)):
            found = self.evaluate(self.method.encoder)
            self.standing.metrics |= {f"final/{name}": value for name, value in found.items()}
            if history:
                history.log(step - 1, found)  # a checkpoint of ``step`` steps keeps what is below
            if self.watch:
                self.watch(done, found)
        name = str(self.out or "training")
        check_collapse(self.training.collapse_stop, done, self.standing.metrics, self.device, name)
        stopping, last = self.step.notices.stop, done == self.training.epochs
        keep = done in self.training.keep_epochs
        if self.training.checkpoint_minutes == 0 or last or stopping or keep or self.step.notices.due:
            self._save(step, history, [checkpoint.milestone(done)] if keep else [])

    def _save(self, step: int, history: History | None, keep_as: Sequence[str] = ()) -> None:
        """Write a checkpoint; then end here if a stop was asked for: all processes do, or none."""
        notices = self.step.notices
        notices.settle()
        self._check_step()
        check_weights(self.step.shares.parameters(), step, self.training, self._where())
        self.due.restart()
        notices.due = False
        state = self.standing.state(step, self.step)
        if history and self.writer:
            self.sound()
            history.sync()
            self.writer.save(state, keep_as)
        self.standing.saved = step
        if notices.stop and step < self.step.total_steps:
            raise Stopped(f"stopped after step {step} of {self.step.total_steps}; the same command goes on from there")
