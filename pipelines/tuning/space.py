"""What is searched, as Optuna's distributions, and option values as its parameters."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from pipelines.spec.tuning import Choice, Limits, Space, Value

Values = dict[str, Value]
"""Option path -> value."""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """By parameter."""
    return {_name(path, limits): distribution(limits) for path, limits in space.items()}


def distribution(limits: Limits) -> BaseDistribution:
    """Of one option; with ``complement`` that of 1 - value."""
    if isinstance(limits, Choice):
        return CategoricalDistribution(limits.choices)
    if limits.whole:
        return IntDistribution(int(limits.low), int(limits.high), log=limits.log)
    if limits.complement:
        return FloatDistribution(1 - limits.high, 1 - limits.low, log=True)
    return FloatDistribution(limits.low, limits.high, log=limits.log)


def values_of(space: Space, params: Mapping[str, Value]) -> Values:
    """Parameters as option values."""
    found: Values = {}
    for path, limits in space.items():
        value = params[_name(path, limits)]
        found[path] = 1 - float(value) if _complement(limits) else value
    return found


def params_of(space: Space, values: Mapping[str, Value]) -> Values | None:
    """Option values as parameters; None where one of them lies outside of what is searched."""
    found: Values = {}
    for path, limits in space.items():
        value = values.get(path)
        if value is None or not limits.holds(value):
            return None
        name = _name(path, limits)
        found[name] = _inside(distribution(limits), 1 - float(value) if _complement(limits) else value)
    return found


def _inside(limits: BaseDistribution, value: Value) -> Value:
    """Rounding may put an end point outside by one unit in the last place."""
    return min(max(float(value), limits.low), limits.high) if isinstance(limits, FloatDistribution) else value


def _name(path: str, limits: Limits) -> str:
    return f"1-{path}" if _complement(limits) else path


def _complement(limits: Limits) -> bool:
    return not isinstance(limits, Choice) and limits.complement
