"""Evaluations: what is measured on frozen features, and with which settings."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipelines.spec.base import Count, Model, NotNegative, Positive, Share
from pipelines.spec.finetuning import Distill, FineTune, OnImages
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.templates import Templates


def _neighbours(given: Any) -> Any:
    """One message instead of one for a number and one for a list."""
    numbers = given if isinstance(given, list | tuple) else [given]
    if not numbers or any(type(k) is not int or k < 1 for k in numbers) or len(set(numbers)) < len(numbers):
        shown = f", got {given}" if isinstance(given, list | tuple) else ""
        raise ValueError(f"has to be a whole number of at least 1, or a list of different ones{shown}")
    return tuple(given) if isinstance(given, list) else given


class Knn(Model):
    """Weighted nearest neighbours on unit features (Wu et al. 2018, arXiv:1805.01978); nothing is chosen."""

    use: Literal["knn"] = "knn"
    k: Annotated[Count | tuple[Count, ...], BeforeValidator(_neighbours)] = 20
    """Neighbours that vote; 20 is DINO's setting, 200 InstDisc's and MoCo's demo. Several: the first is the headline."""
    temperature: float = Field(default=0.07, ge=0.02, allow_inf_nan=False)
    """A neighbour of cosine s has the vote exp(s / temperature); below 0.02 the votes would leave float32's range."""

    @property
    def all_k(self) -> tuple[int, ...]:
        """One or several, the headline first."""
        return self.k if isinstance(self.k, tuple) else (self.k,)


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


class ZeroShot(Model):
    """Classes by their described names (Radford et al. 2021, arXiv:2103.00020); only for methods that read text."""

    use: Literal["zero_shot"] = "zero_shot"
    templates: Templates | None = None
    """Descriptions of a class, averaged; none: those the method was trained with."""


class FewShot(Model):
    """A few labelled images a class, on frozen features: over all classes, or with ``ways`` in episodes of few classes."""

    use: Literal["few_shot"] = "few_shot"
    shots: tuple[Count, ...] = Field(default=(1, 2, 4, 8, 16), min_length=1)
    """Labelled images a class, each a number of its own in the results."""
    ways: int | None = Field(default=None, ge=2)
    """Classes of an episode drawn from test; none: all classes, learnt from train, tested on all of test."""
    queries: Count = 15
    """Images a class that an episode asks for."""
    draws: Count | None = None
    """Draws of the labelled images, or episodes; none: 10, or 600 episodes."""
    classifier: Literal["logistic", "centroid"] | None = None
    """L2-regularised logistic regression, or the nearest class mean; none: logistic, in episodes centroid."""
    strengths: tuple[Positive, ...] | None = Field(default=None, min_length=1)
    """Of the regularisation, chosen on the held-out slice; none: 1e-6 to 1e6 in steps of 100. In episodes one, none: 1."""

    @model_validator(mode="after")
    def _one_strength_in_episodes(self) -> Self:
        if self.strengths and not self.use_logistic:
            raise ValueError("strengths belong to classifier: logistic; leave them out")
        if self.strengths and self.ways and len(self.strengths) > 1:
            raise ValueError(
                f"strengths: episodes have no held-out slice to choose among {len(self.strengths)}; give one"
            )
        if len(set(self.shots)) < len(self.shots):
            raise ValueError(f"shots must be different numbers, got {list(self.shots)}")
        return self

    @property
    def use_logistic(self) -> bool:
        """Whether the classifier is logistic regression."""
        return (self.classifier or ("centroid" if self.ways else "logistic")) == "logistic"

    @property
    def num_draws(self) -> int:
        """Draws or episodes."""
        return self.draws or (600 if self.ways else 10)

    @property
    def all_strengths(self) -> tuple[float, ...]:
        """The candidates, weakest first unless given."""
        return self.strengths or ((1.0,) if self.ways else (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6))


AnyEvaluation = Annotated[Knn | Linear | ZeroShot | FewShot | FineTune | Distill, Field(discriminator="use")]


def on_images(evaluation: Model) -> bool:
    """Whether the protocol trains on images from the weights, instead of reading features."""
    return isinstance(evaluation, OnImages)


def needs_text(evaluation: Model) -> bool:
    """Whether the protocol needs a method with a text tower."""
    return isinstance(evaluation, ZeroShot)


def suits(evaluation: Model, method: MethodOptions) -> bool:
    """Whether the protocol has a meaning for the method."""
    if needs_text(evaluation):
        return method.text
    kept = evaluation.teacher if isinstance(evaluation, Distill) else evaluation
    return not (isinstance(kept, FineTune) and kept.head_layers) or method.layered_head
