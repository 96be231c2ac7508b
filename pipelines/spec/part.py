"""Some classes of a data set alone, so that pretraining can be kept from the classes that it is measured on."""

import difflib
from collections.abc import Sequence

from pydantic import Field, field_validator

from pipelines.errors import InputError
from pipelines.spec.base import Model, Name

MOST_NAMED = 8
"""Classes that an error lists."""


class Part(Model):
    """Classes by their names, under a name of their own."""

    name: Name
    """What keys and tables put behind the data set's name: digits-unseen."""
    classes: tuple[str, ...] = Field(min_length=1)
    """As the data set names them; their order is that of the class numbers. Images of others are left out."""

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in classes if classes.count(name) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice; leave one of them out")
        return classes

    def numbers(self, known: Sequence[str], where: str) -> list[int]:
        """The numbers of these classes among the ``known`` names; InputError for one that is not there."""
        for name in self.classes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                shown = ", ".join(known[:MOST_NAMED]) + ", ..." * (len(known) > MOST_NAMED)
                meant = f"did you mean {near[0]!r}?" if near else f"it has {shown or 'no classes at all'}"
                raise InputError(f"{where}: dataset.part.classes: there is no class {name!r}; {meant}")
        return [known.index(name) for name in self.classes]
