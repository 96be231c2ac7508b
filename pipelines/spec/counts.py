"""How many images of each class there are to learn from and to ask about: what a protocol can measure, and what it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import InputError


@dataclass(frozen=True)
class Counts:
    """Images of each class, by class number, of labelled images alone.

    train  the whole train split, the held-out slice included
    held   of these, the ones kept for choices
    test   of test; the three are equally long
    names  of the classes; empty where numbers have to do
    """

    train: tuple[int, ...]
    held: tuple[int, ...]
    test: tuple[int, ...]
    names: tuple[str, ...] = ()

    @property
    def fit(self) -> tuple[int, ...]:
        """Train without the held-out slice."""
        return tuple(all_of - held for all_of, held in zip(self.train, self.held, strict=True))

    def named(self, number: int) -> str:
        """``class 3``, with its name where it has one: ``class 3 (cat)``."""
        return f"class {number} ({self.names[number]})" if self.names else f"class {number}"

    def fewest(self, counts: Sequence[int]) -> int:
        """The number of the class that has the fewest, of equals the first."""
        return min(range(len(counts)), key=lambda number: counts[number])

    def check_classes(self, protocol: str, split: str, counts: Sequence[int]) -> None:
        """InputError unless two classes have images; which others lack some is told when the data set is packed."""
        found = [number for number, count in enumerate(counts) if count]
        if len(found) < 2:
            raise InputError(
                f"evaluation.{protocol}: {split} has images of {f'{self.named(found[0])} alone' if found else 'no class'}, "
                "and telling classes apart needs two; take a data set, or more of it, with several classes"
            )

    def check_shared(self, protocol: str) -> None:
        """InputError where no class of test has an image in train: their labels mean different things."""
        if not any(train and test for train, test in zip(self.train, self.test, strict=True)):
            learnt, asked = (next(i for i, count in enumerate(split) if count) for split in (self.train, self.test))
            raise InputError(
                f"evaluation.{protocol}: no class of test has an image in train, so that nothing can be named rightly: "
                f"train has {self.named(learnt)}, test {self.named(asked)}; give both splits the same labels, or draw "
                "episodes of test (few_shot with ways)"
            )

    def check_held_out(self, protocol: str, choices: int, what: str, way_out: str) -> None:
        """InputError when there is something to choose (``choices`` above 1) and nothing is held out to choose on."""
        if choices > 1 and not any(self.held):
            raise InputError(
                f"evaluation.{protocol}: {choices} {what}, but nothing is held out to choose on; set the data set's holdout "
                f"above 0, or higher where the set is small, or {way_out}"
            )
