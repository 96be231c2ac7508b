"""Ending a training whose features have collapsed, where a study asks for it: what follows would be thrown away."""

from collections.abc import Mapping

import torch

from pipelines import distributed
from pipelines.errors import BadResult, InputError
from pipelines.spec.training import CollapseStop

READINGS = {"spread": "final/collapse/spread", "knn": "final/eval/online_knn"}
"""Bound -> the metric it is for."""


def check_readings(stop: CollapseStop | None, evaluates: bool, monitors: bool) -> None:
    """InputError where a bound is for a reading that is never made."""
    if stop and stop.knn is not None and not evaluates:
        raise InputError(
            "training.collapse_stop.knn: no labelled images of this data set are held out, so there is no kNN to read; "
            "use spread, or leave it out"
        )
    assert not (stop and stop.spread is not None and not monitors)


def check_collapse(
    stop: CollapseStop | None, done: int, metrics: Mapping[str, float], device: torch.device, name: str
) -> None:
    """BadResult after ``done`` epochs when a last reading, the mean over processes, is below its bound.

    To be asked by all processes alike. A reading that is no number is below every bound; one that a method never gives
    (a spread without embeddings) is not judged.
    """
    if stop is None or done < stop.epoch:
        return
    for bound, metric in READINGS.items():
        least = getattr(stop, bound)
        if least is None or metric not in metrics:
            continue
        found = float(distributed.mean(torch.tensor(metrics[metric], dtype=torch.float64, device=device)))
        if not found >= least:
            raise BadResult(
                f"{name}: stopped after epoch {done}: the features collapsed, {bound} is {found:.3g} and "
                f"training.collapse_stop wants at least {least:g} from epoch {stop.epoch} on; change the method's options, "
                "or lower the bound"
            )
