"""Which values a trial takes: a function of the search and of what earlier batches found, of nothing else.

Trials are proposed in batches, in the order of their slots. A batch knows the results of all earlier batches and nothing of
its own, so it does not matter how many workers run them or in what order they end. Within a batch the proposals are told of
each other (TPE's constant liar), so that they do not all go to one place.
"""

import warnings
from collections.abc import Sequence

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from pipelines.seeds import seed_for
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.space import Values, distributions, values_of


def proposals(search: OptunaStudy, batch: int, earlier: Sequence[FrozenTrial]) -> list[Values]:
    """The values of a batch's slots, in their order. earlier: the finished trials of all earlier batches, by slot."""
    slots = search.batch_slots(batch)
    known = optuna.create_study(
        direction="maximize",
        storage=optuna.storages.InMemoryStorage(),
        sampler=_sampler(search, seed_for(search.seed, "sampler", batch) % 2**32),
    )
    for trial in earlier:
        known.add_trial(trial)
    ranges, found = distributions(search.space), list[Values]()
    for slot in slots:
        if slot == 0:
            found.append(dict(search.default))
        else:
            found.append(values_of(search.space, known.ask(ranges).params))
    return found


def _sampler(search: OptunaStudy, seed: int) -> BaseSampler:
    first = max(2, search.trials // 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match search.sampler:
            case "gp":
                return optuna.samplers.GPSampler(seed=seed, n_startup_trials=first)
            case "random":
                return optuna.samplers.RandomSampler(seed=seed)
            case _:
                return optuna.samplers.TPESampler(seed=seed, n_startup_trials=first, constant_liar=True)
