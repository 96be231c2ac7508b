"""Options of the linear probe on features."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """Linear probe on frozen features: chosen on the held-out slice, retrained on all of train, tested once."""

    use: Literal["linear"] = "linear"
    epochs: Count = 30
    """Passes over the rows trained on."""
    least_steps: Count = 1000
    """Fewest optimizer steps: on a small set the epochs are raised until it has this many."""
    batch_size: Count = 512
    """Rows a step; the whole set where it has fewer."""
    lrs: tuple[Positive, ...] = Field(default=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0), min_length=1)
    """Candidate learning rates (cosine to 0), for rows of mean squared length 1."""
    weight_decays: tuple[NotNegative, ...] = Field(default=(0.0,), min_length=1)
    """Candidate weight decays; every pair with a learning rate is tried."""
    momentum: Annotated[Share, Field(lt=1)] = 0.9
    """Of stochastic gradient descent."""
    standardise: bool = True
    """Scale each feature to equal spread (statistics of the rows trained on); no: all features by one number."""

    @property
    def num_candidates(self) -> int:
        """Pairs of a learning rate and a weight decay."""
        return len(self.lrs) * len(self.weight_decays)

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        way_out = "give one lr and one weight decay"
        counts.check_held_out("linear", self.num_candidates, "candidates (lrs x weight_decays)", way_out)
