"""Floors: the encoders of a study as they are born, which every method has to beat."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.spec.jobs import Untrained
from pipelines.spec.resolve import Run


@dataclass(frozen=True)
class Newborn:
    """An encoder at step 0.

    encoder  its short name
    own      the short name of the method that builds it in its own way (MAE); None: the encoder itself
    number   which of those that these two names do not tell apart, from 1
    """

    encoder: str
    own: str | None
    number: int
    source: Untrained

    @property
    def name(self) -> str:
        """What a reader calls it: ``vit_tiny (mae).2``."""
        return self.encoder + (f" ({self.own})" if self.own else "") + self._ending

    @property
    def slug(self) -> str:
        """The same as a part of a folder's name: ``vit_tiny-mae.2``."""
        return self.encoder + (f"-{self.own}" if self.own else "") + self._ending

    @property
    def _ending(self) -> str:
        return f".{self.number}" if self.number > 1 else ""


def floors_of(runs: list[Run]) -> Iterator[Newborn]:
    """Every distinct encoder at step 0; two that differ in what their names do not show are numbered.

    A method that builds its encoder in its own way (MAE) has a floor of its own, named after it, for each encoder: that
    of its first grid point.
    """
    seen = []
    numbers: dict[tuple[str, str | None], int] = {}
    for run in runs:
        newborn = run.method.newborn
        own = newborn.short_name if newborn.own_encoder(run.encoder) else None
        if (run.encoder, own) in seen:
            continue
        seen.append((run.encoder, own))
        names = run.encoder.short_name, own
        numbers[names] = numbers.get(names, 0) + 1
        source = Untrained(
            encoder=run.encoder,
            method=newborn if own else None,
            views=run.views if own else None,
            image_size=run.dataset.image_size,
        )
        yield Newborn(*names, numbers[names], source)
