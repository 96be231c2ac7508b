"""Evaluations: what is measured on frozen features, and with which settings."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.spec.base import Count, Model, NotNegative, Positive, Share
from pipelines.spec.finetuning import Distill, FineTune, OnImages
from pipelines.spec.methods.base import MethodOptions


class Knn(Model):
    """Weighted nearest neighbours on unit features (Wu et al. 2018, arXiv:1805.01978); nothing is chosen."""

    use: Literal["knn"] = "knn"
    k: Count = 20
    """Neighbours that vote; 20 is DINO's setting, 200 InstDisc's and MoCo's demo."""
    temperature: float = Field(default=0.07, ge=0.02, allow_inf_nan=False)
    """A neighbour of cosine s has the vote exp(s / temperature); below 0.02 the votes would leave float32's range."""


class Linear(Model):
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


AnyEvaluation = Annotated[Knn | Linear | FineTune | Distill, Field(discriminator="use")]


def on_images(evaluation: Model) -> bool:
    """Whether the protocol trains on images from the weights, instead of reading features."""
    return isinstance(evaluation, OnImages)


def needs_text(evaluation: Model) -> bool:
    """Whether the protocol needs a method with a text tower."""
    return getattr(evaluation, "use", "") == "zero_shot"


def suits(evaluation: Model, method: MethodOptions) -> bool:
    """Whether the protocol has a meaning for the method."""
    if needs_text(evaluation):
        return method.text
    kept = evaluation.teacher if isinstance(evaluation, Distill) else evaluation
    return not (isinstance(kept, FineTune) and kept.head_layers) or method.layered_head
