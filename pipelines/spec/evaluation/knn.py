"""Options of nearest neighbours."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pipelines.errors import InputError
from pipelines.spec.base import Count
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.parts import BehindHead


def _neighbours(given: Any) -> Any:
    """One message instead of one for a number and one for a list."""
    numbers = given if isinstance(given, list | tuple) else [given]
    if not numbers or any(type(k) is not int or k < 1 for k in numbers) or len(set(numbers)) < len(numbers):
        shown = f", got {given}" if isinstance(given, list | tuple) else ""
        raise ValueError(f"has to be a whole number of at least 1, or a list of different ones{shown}")
    return tuple(given) if isinstance(given, list) else given


def _several(given: int) -> int:
    if given == 1:
        raise ValueError("one view of an image has nothing to agree with; give 2 or more, or 0 for none")
    return given


def _is_off(value: int) -> bool:
    """Left out of what is written: the keys of jobs are those from before there was this option."""
    return not value


class Options(BehindHead):
    """Weighted nearest neighbours on unit features (Wu et al. 2018, arXiv:1805.01978); nothing is chosen."""

    use: Literal["knn"] = "knn"
    k: Annotated[Count | tuple[Count, ...], BeforeValidator(_neighbours)] = 20
    """Neighbours that vote; 20 is DINO's setting, 200 InstDisc's and MoCo's demo. Several: the first is the headline."""
    temperature: float = Field(default=0.07, ge=0.02, allow_inf_nan=False)
    """A neighbour of cosine s has the vote exp(s / temperature); below 0.02 the votes would leave float32's range."""
    leave_one_out: bool = Field(default=False, exclude_if=_is_off)
    """Every labelled image, of train and of test, is named by all the others, under numbers of their own: for a data set
    that has no test split of its own, or too small a one. Pretraining has seen those of train."""

    views: Annotated[int, Field(ge=0), AfterValidator(_several)] = Field(default=0, exclude_if=_is_off)
    """Views of a training image, by which the record tells ``features/alignment`` and ``features/lidar``; they name no image.
    The papers have 2 (Wang and Isola 2020) and 50 (Thilak et al. 2024). 0: none."""

    @property
    def all_k(self) -> tuple[int, ...]:
        """One or several, the headline first."""
        return self.k if isinstance(self.k, tuple) else (self.k,)

    @property
    def names_by_train(self) -> bool:
        return not self.leave_one_out

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        rows = sum(counts.train) + (sum(counts.test) - 1 if self.leave_one_out else 0)
        if max(self.all_k) > rows:
            raise InputError(
                f"evaluation.knn.k: {max(self.all_k)} neighbours asked for, but only {rows} images vote; lower k"
            )

    @property
    def numbers(self) -> tuple[str, ...]:
        return ("leave_one_out",) if self.leave_one_out else super().numbers

    @property
    def accuracies(self) -> tuple[str, ...]:
        ks = self.all_k if len(self.all_k) > 1 and not self.leave_one_out else ()
        return (*super().accuracies, *(f"{name}_k{k}" for k in ks for name in super(Options, self).accuracies))

    def no_objective(self) -> str | None:
        if self.leave_one_out:
            return "with leave_one_out asks the images too that pretraining has seen; leave leave_one_out out"
        if self.views:
            return "with views tells beside its numbers what no trial keeps; leave views out"
        return None
