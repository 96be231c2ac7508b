"""The rates of each step, as the loop reads them."""

import pytest
from schedule_tools import agree, curve

from pipelines.errors import InputError
from pipelines.spec.training import Training
from pipelines.training.rates import lr_at, weight_decay_at


def test_dinos_weight_decay():
    expected, c = curve("dino_wd")
    training = Training(epochs=c["epochs"], weight_decay=c["start"], weight_decay_end=c["end"])
    agree([weight_decay_at(training, step, c["iters_per_epoch"]) for step in range(len(expected))], expected)


def test_the_loops_learning_rate_is_byols_curve():
    expected, c = curve("byol_lr")
    per_epoch = 10
    warm, epochs = c["warmup_steps"] / per_epoch, c["total_steps"] // per_epoch
    training = Training(epochs=epochs, warmup_epochs=warm)
    peak = c["base_lr"] * c["batch_size"] / 256
    agree([lr_at(training, step, per_epoch, peak) for step in range(c["total_steps"])], expected, rtol=1e-6)


def test_warm_up_starts_at_zero_and_the_cosine_ends_above_its_floor():
    training = Training(epochs=10, warmup_epochs=2.0, final_lr_share=0.01)
    rates = [lr_at(training, step, 5, 0.4) for step in range(50)]
    assert rates[0] == 0
    assert rates[9] == pytest.approx(0.4 * 9 / 10)
    assert rates[10] == max(rates) == 0.4
    assert rates[10 + 20] == pytest.approx((0.4 + 0.004) / 2)  # halfway down
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.004 < rates[-1] < 0.006


def test_steps_happen_at_shares_of_the_whole_run_with_and_without_warm_up():
    for warmup in (0.0, 3.0):
        training = Training(epochs=10, schedule="step", milestones=(0.6, 0.8), step_factor=0.1, warmup_epochs=warmup)
        rates = [lr_at(training, step, 10, 1.0) for step in range(100)]
        assert rates[59] == 1
        assert rates[60] == rates[79] == pytest.approx(0.1)
        assert rates[80] == rates[99] == pytest.approx(0.01)
        assert rates[30] == 1
        assert rates[15] == (1 if warmup == 0 else pytest.approx(0.5))


def test_a_constant_schedule_and_a_constant_decay():
    training = Training(epochs=4, schedule="constant", weight_decay=0.3)
    assert {lr_at(training, step, 5, 0.7) for step in range(20)} == {0.7}
    assert {weight_decay_at(training, step, 5) for step in range(20)} == {0.3}


def test_a_resumed_loop_reads_the_same_rate():
    training = Training(epochs=7, warmup_epochs=0.5)
    assert lr_at(training, 31, 9, 0.2) == [lr_at(training, step, 9, 0.2) for step in range(63)][31]


def test_a_warm_up_as_long_as_the_run_is_refused():
    with pytest.raises(InputError, match="warmup_epochs: 5 must be less than epochs"):
        lr_at(Training(epochs=5, warmup_epochs=5.0), 0, 10, 0.1)
