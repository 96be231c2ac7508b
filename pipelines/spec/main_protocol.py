"""The main protocol of a study: it answers the question, sorts the methods, and judges claims that name no other."""

from collections.abc import Sequence

from pipelines.spec.evaluation.base import Protocol

LINEAR_PROBES = ("linear", "linear_augmented")
"""Which protocols lead where a study names none, by their ``use``."""


def main_of(listed: Sequence[Protocol], name: str | None) -> Protocol:
    """The protocol of that name; without one the first linear probe, else the first of all.

    ValueError when the name means none of those that are listed, or several.
    """
    if name is None:
        return next((each for each in listed if each.use in LINEAR_PROBES), listed[0])
    fitting = [each for each in listed if each.is_called(name)]
    if not fitting:
        known = ", ".join(dict.fromkeys(each.use for each in listed))
        raise ValueError(f"main: evaluation has no protocol {name!r}; there are: {known}")
    if len(fitting) > 1:
        use = name.partition("[")[0]
        raise ValueError(
            f"main: {len(fitting)} protocols are called {name}; say which by an option: {use}[OPTION=VALUE]"
        )
    return fitting[0]
