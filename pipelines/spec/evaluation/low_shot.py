"""Options of low-shot classification on frozen features."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipelines.errors import InputError
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.parts import POOLED


def _amounts(given: Any) -> Any:
    """One message for all that is wrong; 0.01 is a share, 5 a number of images."""
    amounts = list(given) if isinstance(given, list | tuple) else []
    right = [(type(each) is int and each >= 1) or (type(each) is float and 0 < each < 1) for each in amounts]
    if not amounts or not all(right) or len(set(amounts)) < len(amounts):
        raise ValueError(
            f"has to be a list of different shares between 0 and 1 or whole numbers of at least 1, got {given}"
        )
    return tuple(given)


def few_of(amount: float, count: int) -> int:
    """How many images of a class that has ``count`` a list takes: a share of them, at least one, or so many of them."""
    return min(amount, count) if isinstance(amount, int) else min(count, max(1, round(amount * count)))


def amount_name(amount: float) -> str:
    """What a record calls it: 1_percent, or 5_a_class."""
    return f"{amount}_a_class" if isinstance(amount, int) else f"{100 * amount:g}_percent"


class Options(Protocol):
    """A linear probe on few labels: a list of images drawn with the run's seed, the smaller lists within the larger ones.

    The lists are those of ``finetune`` with the same share and seed, so that frozen and fine-tuned can be compared.
    """

    use: Literal["low_shot"] = "low_shot"
    labels: Annotated[tuple[float | int, ...], BeforeValidator(_amounts)] = (0.01, 0.1)
    """How many labels, each a number of its own in the results: a share of every class (0.01), at least one image, or so many
    images of every class (5)."""
    probe: Linear = Field(default=Linear())
    """The classifier; its candidates are judged on the held-out slice, or on the rows of train outside the list."""

    @model_validator(mode="after")
    def _pooled(self) -> Self:
        if self.probe.features != POOLED or self.probe.head_layers:
            name = "head_layers" if self.probe.head_layers else "features"
            raise ValueError(f"probe.{name}: low_shot reads the pooled feature; leave it out, or take linear")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(map(amount_name, self.labels))

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        choices = self.probe.num_candidates
        counts.check_held_out("low_shot", choices, "candidates (probe.lrs x weight_decays)", "give one of each")
        most = max((each for each in self.labels if isinstance(each, int)), default=0)
        least = counts.fewest(counts.train)
        if counts.train[least] < most:
            raise InputError(
                f"evaluation.low_shot.labels: {most} images a class asked for, but {counts.named(least)} has "
                f"{counts.train[least]} in train; ask for fewer"
            )
        for amount in self.labels if choices > 1 else ():
            if all(few_of(amount, count) == count for count in counts.train):
                what = f"{amount} images a class are" if isinstance(amount, int) else f"a share of {amount:g} is"
                raise InputError(
                    f"evaluation.low_shot.labels: {what} all of train, and none is left to choose on; ask for fewer"
                )
