"""A training is given up on collapse where the study says when, and nowhere else."""

import pytest
from pydantic import ValidationError
from trainer_tools import equal, small_options, small_trainer, weights

from pipelines.errors import BadResult, InputError
from pipelines.spec.training import CollapseStop, Training


def trained(readings=None, epochs=4, **stop):
    given = {"online_knn_epochs": 1} if readings is not None else {}
    if stop:
        given["collapse_stop"] = CollapseStop(**stop)
    trainer = small_trainer(small_options("simclr"), epochs=epochs, **given)
    if readings is not None:
        values = iter(readings)
        trainer.evaluate = lambda encoder: {"eval/online_knn": next(values)}
    return trainer


def test_a_spread_below_its_bound_ends_the_training_at_the_stated_epoch():
    trainer = trained(epoch=2, spread=1.0)  # nothing is ever spread evenly
    with pytest.raises(
        BadResult, match=r"after epoch 2: the features collapsed, spread is 0\.\d+ and .* at least 1 from epoch 2"
    ):
        trainer.fit()
    assert trainer.clock.steps == 6


def test_a_kNN_below_its_bound_ends_it_later_too():
    trainer = trained([0.1, 0.5, 0.2], epoch=2, knn=0.3)
    with pytest.raises(BadResult, match=r"after epoch 3: the features collapsed, knn is 0\.2 and"):
        trainer.fit()


def test_a_reading_that_is_no_number_is_below_every_bound():
    with pytest.raises(BadResult, match="knn is nan"):
        trained([float("nan")], epoch=1, knn=0.0).fit()


def test_bounds_that_are_kept_change_nothing():
    plain, watched = trained(), trained(epoch=1, spread=0.0)
    plain.fit()
    watched.fit()
    assert equal(weights(plain.method), weights(watched.method))


def test_a_bound_without_a_reading_is_refused():
    with pytest.raises(InputError, match="no labelled images of this data set are held out"):
        trained(epoch=1, knn=0.1).fit()
    with pytest.raises(ValueError, match="set online_knn_epochs"):
        Training(collapse_stop=CollapseStop(epoch=1, knn=0.1)).check()
    with pytest.raises(ValidationError, match="has no bound"):
        CollapseStop(epoch=3)
