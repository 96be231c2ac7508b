"""Options of the linear probe on features."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.counts import Counts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.parts import POOLED, BehindHead, Feature, check_tokens


def _is_pooled(value: tuple[str, ...]) -> bool:
    """Left out of what is written: the keys of jobs are those from before there was this option."""
    return value == POOLED


class Options(BehindHead):
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
    features: tuple[Feature, ...] = Field(default=POOLED, min_length=1, exclude_if=_is_pooled)
    """Candidate features, each tried with every learning rate and weight decay in the same pass over the rows."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features must be different, got {list(self.features)}")
        if self.head_layers and self.features != POOLED:
            raise ValueError(
                "head_layers reads behind the pooled feature, features reads others; leave one of them out"
            )
        return self

    @property
    def num_candidates(self) -> int:
        """Each feature with each learning rate and weight decay."""
        return len(self.features) * len(self.lrs) * len(self.weight_decays)

    def check_encoder(self, encoder: EncoderOptions, own: bool) -> None:
        check_tokens(self.features, encoder)

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        way_out = "give one lr, one weight decay and one feature"
        counts.check_held_out("linear", self.num_candidates, "candidates (features x lrs x weight_decays)", way_out)
