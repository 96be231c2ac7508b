"""Options of low-shot classification on frozen features."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.linear import Options as Linear


def _amounts(given: Any) -> Any:
    """One message for all that is wrong; 0.01 is a share, 5 a number of images."""
    amounts = list(given) if isinstance(given, list | tuple) else []
    right = [(type(each) is int and each >= 1) or (type(each) is float and 0 < each < 1) for each in amounts]
    if not amounts or not all(right) or len(set(amounts)) < len(amounts):
        raise ValueError(
            f"has to be a list of different shares between 0 and 1 or whole numbers of at least 1, got {given}"
        )
    return tuple(given)


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

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(map(amount_name, self.labels))
