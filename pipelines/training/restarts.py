"""A training goes back to its last checkpoint after a step that gave no number, as often as its study says."""

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from pipelines import distributed
from pipelines.errors import NotANumber
from pipelines.training.loop import Fitted, Trainer


def trained(
    made: Callable[..., Trainer], most: int, deferred: Callable[[], AbstractContextManager[None]]
) -> tuple[Trainer, Fitted]:
    """The trainer that came to the end, and what it fitted. NotANumber after more than ``most`` steps that gave none.

    made: called with the number of ``restarts``, a trainer that takes up the newest checkpoint, or begins where there is none.
    The steps after it draw other views: the same ones would come to the same end. deferred: a block in which signals are
    only noted.
    """
    restarts = 0
    while True:
        trainer = made(restarts=restarts)
        device = trainer.device
        try:
            with deferred():
                return trainer, trainer.fit()
        except NotANumber as error:
            restarts = trainer.standing.restarts + 1
            if restarts > most:
                raise
            trainer.say(
                f"{error}. Restart {restarts} of {most}: from the newest checkpoint or the beginning, with other draws"
            )
        del trainer
        gc.collect()  # its networks leave the device before the next ones come; some hold themselves
        # The host waits for all processes here: by then the first one has written its checkpoint.
        float(distributed.mean(torch.zeros((), device=device)))
