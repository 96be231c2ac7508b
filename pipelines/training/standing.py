"""Where a training stands: what its checkpoint holds, and when the next one is due."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import DamagedFile
from pipelines.seeds import seed_for
from pipelines.training import checkpoint
from pipelines.training.score_counts import Counts
from pipelines.training.step import Stepper


@dataclass
class Clock:
    """Seconds spent so far, over all attempts of a resumed run."""

    training: float = 0.0
    """In steps, data and views included."""
    views: float = 0.0
    """In data and views; on a GPU only what the host waited for."""
    steps: int = 0


@dataclass
class Due:
    """Whether ``minutes`` have passed since the last checkpoint; never with 0."""

    minutes: float
    since: float = field(default_factory=time.monotonic)

    def __call__(self) -> bool:
        return self.minutes > 0 and time.monotonic() - self.since > 60 * self.minutes

    def restart(self) -> None:
        """A checkpoint is taken."""
        self.since = time.monotonic()


@dataclass
class Standing:
    """What a checkpoint holds beside weights and optimizer.

    job       whose training it is: a checkpoint that names another is refused
    restarts  how often it has gone back because something was no number; each time it goes on with other draws
    saved     the step of the last one; none: there is none
    """

    job: str = ""
    restarts: int = 0
    clock: Clock = field(default_factory=Clock)
    metrics: dict[str, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    saved: int | None = None

    def seed(self, seed: int) -> int:
        """What draws follow from now, in a training with this seed."""
        return seed_for(seed, "restart", self.restarts) if self.restarts else seed

    def state(self, step: int, stepper: Stepper) -> dict[str, Any]:
        """All that the next step needs. Where weights are sharded, all processes call it together; the first gets the whole."""
        return {
            "job": self.job,
            "step": step,
            "method": stepper.shares.whole_method(),
            "optimizer": stepper.shares.whole_optimizer(stepper.optimizer),
            "clock": vars(self.clock),
            "metrics": self.metrics,
            "score_counts": self.counts,
            "restarts": self.restarts,
        }

    def restore(self, out: Path | None, stepper: Stepper) -> int:
        """Take up the newest checkpoint in ``out``, of any number of processes; the steps done, 0 where there is none.

        DamagedFile where it holds something else than this training needs.
        """
        state = checkpoint.newest(out, self.job) if out else None
        if state is None:
            return 0
        try:
            return self._take_up(state, stepper)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise DamagedFile(
                f"{out}: its checkpoint does not hold what this training needs ({' '.join(str(error).split())[:300]}); "
                f"delete {checkpoint.FILE} and {checkpoint.PREVIOUS} there, and it starts anew"
            ) from error

    def _take_up(self, state: dict[str, Any], stepper: Stepper) -> int:
        stepper.shares.load_method(state["method"])
        stepper.shares.load_optimizer(stepper.optimizer, state["optimizer"])
        vars(self.clock).update(state["clock"])
        self.metrics = state["metrics"]
        self.counts = state.get("score_counts", {})
        self.restarts = max(self.restarts, int(state.get("restarts", 0)))
        self.saved = int(state["step"])
        return self.saved
