"""Tells how far a training is, as often as a person can read: after an epoch, and meanwhile where an epoch takes long."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.durations import duration

LEAST, MOST = 10.0, 600.0
"""Seconds between two lines: at least, and in the midst of an epoch."""


@dataclass
class Telling:
    """Says where a training stands. It asks the device for nothing: the loss is that of the last reading.

    batch_size  of all processes together
    """

    say: Callable[[str], None]
    epochs: int
    per_epoch: int
    batch_size: int
    now: Callable[[], float] = time.monotonic
    loss: float | None = field(default=None, init=False)

    def begin(self, step: int) -> None:
        """The steps done by earlier attempts: from there it goes on."""
        self._whole, self._told, self._step = self.epochs * self.per_epoch, self.now(), step
        self.say(
            f"{'goes on from' if step else 'trains from'} step {step} of {self._whole} "
            f"(epochs: {self.epochs}, steps an epoch: {self.per_epoch}, images a step: {self.batch_size})"
        )

    def look(self, step: int) -> None:
        """So many steps are done: a line where it is time for one, and after the last step."""
        passed, ended = self.now() - self._told, step % self.per_epoch == 0
        if passed < (LEAST if ended else MOST) and step < self._whole:
            return
        speed = (step - self._step) / max(passed, 1e-3)
        where = f"epoch {step / self.per_epoch:{'.0f' if ended else '.1f'}} of {self.epochs}"
        loss = "" if self.loss is None else f", loss {self.loss:.4g}"
        left = f", {duration((self._whole - step) / speed)} left" if step < self._whole else ""
        self.say(f"{where}{loss}, {speed * self.batch_size:,.0f} images/s{left}")
        self._told, self._step = self._told + passed, step
