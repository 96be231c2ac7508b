"""One tuning study: what is searched, by how many trials in which batches, and which are repeated before one is chosen."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.spec.tuning import Space
from pipelines.tuning.space import Values


@dataclass(frozen=True)
class OptunaStudy:
    """Slots 0 to trials - 1 are the search, slot 0 with the values that the study has anyway; the slots after them repeat.

    default    the values that the study has without tuning; of options that are off there is none
    batch      slots whose values are proposed together
    finalists  best trials that are repeated, and the default
    repeats    how often, each with a fresh seed
    floor      what a trial without a result is worth
    database   where the trials stand in place of the journal, an address with its password
    rungs      epochs after which one in ``factor`` of the trials that came so far goes on; none: no successive halving
    """

    name: str
    journal: Path
    space: Space
    trials: int
    sampler: str
    seed: int
    prune_below: float
    batch: int = 4
    finalists: int = 3
    repeats: int = 2
    floor: float = 0.0
    default: Values = field(default_factory=dict)
    database: str | None = field(default=None, repr=False)
    rungs: tuple[int, ...] = ()
    factor: int = 3

    @property
    def batches(self) -> int:
        """How many there are, without the repeats."""
        return -(-self.trials // self.batch)

    def batch_of(self, slot: int) -> int:
        """The batch of a slot of the search."""
        return slot // self.batch

    def batch_slots(self, batch: int) -> range:
        """The slots of a batch."""
        return range(batch * self.batch, min(self.trials, (batch + 1) * self.batch))

    def seed_slot(self, slot: int) -> int:
        """What a slot's seed is made from: all first repeats share one, all second ones, so that finalists are paired."""
        return slot if slot < self.trials else self.trials + (slot - self.trials) % self.repeats
