"""Floors: the encoders of a study as they are born, which every method has to beat."""

from pipelines.spec.jobs import Untrained
from pipelines.spec.resolve import Run


def floors_of(runs: list[Run]) -> dict[str, Untrained]:
    """Every distinct encoder at step 0 by a readable name; two that differ in what the name does not show are numbered.

    A method that builds its encoder in its own way (MAE) has a floor of its own, named after it, for each encoder: that
    of its first grid point.
    """
    found: dict[str, Untrained] = {}
    seen = []
    for run in runs:
        own = run.method.short_name if run.method.own_encoder(run.encoder) else None
        kind = (run.encoder, own)
        if kind in seen:
            continue
        seen.append(kind)
        name = _free(run.encoder.short_name + (f" ({own})" if own else ""), found)
        found[name] = Untrained(
            encoder=run.encoder,
            method=run.method if own else None,
            views=run.views if own else None,
            image_size=run.dataset.image_size,
        )
    return found


def _free(name: str, found: dict[str, Untrained]) -> str:
    number, free = 1, name
    while free in found:
        number += 1
        free = f"{name}.{number}"
    return free
