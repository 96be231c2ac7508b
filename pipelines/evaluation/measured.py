"""What a protocol returns: numbers by split, what was chosen on the way, and what it said of every test row."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from pipelines.metric import named


@dataclass(frozen=True)
class Measured:
    """Accuracies are fractions in [0, 1].

    test       metric -> value on the test split
    holdout    on rows of train kept from learning, by which settings were chosen (the held-out slice, or folds in turns);
               empty where there are none
    train      on the rows that were learnt from
    chosen     setting -> the value that was chosen; by -> on which rows, where there was a choice
    predicted  (m,) int64, the class named for every row of test; None where a row was asked about many times or never, as
               in draws and episodes
    answers    by name, what was said of every row of test where one class each does not tell it; see each protocol
    score      (m,) float, how sure that was: the probability of the named class or its share of the votes; None without one
    """

    test: dict[str, float]
    holdout: dict[str, float] = field(default_factory=dict)
    train: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, float | str] = field(default_factory=dict)
    predicted: Tensor | None = field(default=None, compare=False)
    score: Tensor | None = field(default=None, compare=False)
    answers: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False)

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers by the names of a record: test/top1, train/top1, holdout/top1."""
        return named("test", self.test) | named("train", self.train) | named("holdout", self.holdout)

    @property
    def derived(self) -> dict[str, float | str]:
        """What was chosen, by the names of a record: chosen/lr."""
        return {f"chosen/{name}": value for name, value in self.chosen.items()}
