"""What metrics are called in MLflow: the same protocol has the same name for every method of a study."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.files import digest

ANSWER = "answer"
"""First part of the name of the number that a study is judged by. MLflow sorts its charts by them: this one comes first."""
VERSION = 2
"""Counts the changes of what numbers are called; runs that an earlier one sent are written afresh."""
Options = Mapping[str, Any]
"""An evaluation as a spec holds it: use, and the protocol's options."""


def protocol_names(evaluations: Iterable[Options]) -> dict[str, str]:
    """The digest of each evaluation -> linear, knn20; options that tell two of one kind apart follow its name."""
    found = {digest(options, 16): options for options in evaluations}
    return {place: _name(options, list(found.values())) for place, options in found.items()}


def measured_on(protocol: str, dataset: str, home: str) -> str:
    """The first part of a metric's name: where the encoder was pretrained elsewhere, the data set stands before it."""
    return protocol if dataset == home else f"transfer/{dataset}/{protocol}"


def answer(main: str) -> str:
    """What the main number is called besides its own name: ``answer/few_shot 1_shot`` for few_shot/1_shot."""
    return f"{ANSWER}/{main.replace('/', ' ')}"


def _name(options: Options, all_options: list[Options]) -> str:
    twins = [other for other in all_options if other["use"] == options["use"]]
    differing = [name for name in options if any(other.get(name) != options[name] for other in twins)]
    base = str(options["use"])
    if base == "knn":
        first = options["k"][0] if isinstance(options["k"], list) else options["k"]
        base = f"knn{first}"
        differing = [name for name in differing if name != "k" or _same_first_k(options, twins)]
    return "-".join([base, *(f"{name}-{_plain(options[name])}" for name in differing)])


def _same_first_k(options: Options, twins: list[Options]) -> bool:
    """Whether another evaluation with as many neighbours first differs in those that follow."""
    firsts = [other["k"][0] if isinstance(other["k"], list) else other["k"] for other in twins]
    mine = options["k"][0] if isinstance(options["k"], list) else options["k"]
    return firsts.count(mine) > 1


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return digest(dict(value), 6)
    if isinstance(value, list):
        return "_".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
