import math

import numpy as np
import pytest
from parity_tools import load

from pipelines.errors import InputError
from pipelines.spec.training import Training
from pipelines.training.schedules import (
    after,
    constant,
    cosine,
    cosine_momentum,
    lr_at,
    milestones,
    ramp,
    weight_decay_at,
)


def curve(name: str) -> tuple[np.ndarray, dict[str, float]]:
    """A curve of the fixture and its constants."""
    arrays = load("schedules")
    constants = {key.split("__")[1]: value for key, value in arrays.items() if key.startswith(f"{name}__")}
    return arrays[name], {key: value if value.ndim else value.item() for key, value in constants.items()}


def agree(got: list[float], expected: np.ndarray, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    """``atol`` as a share of the largest value."""
    assert len(got) == len(expected)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol * np.abs(expected).max())


def test_swav_reaches_its_peak_within_the_warm_up():
    expected, c = curve("swav_lr")
    warm, total = c["warmup_epochs"] * c["iters_per_epoch"], c["epochs"] * c["iters_per_epoch"]
    first = ramp(c["start_warmup"], c["base_lr"], reach=(warm - 1) / warm)
    schedule = after(warm / total, first, cosine(c["base_lr"], c["final_lr"]))
    agree([schedule(step / total) for step in range(total)], expected)


def test_byol():
    expected, c = curve("byol_lr")
    peak, total = c["base_lr"] * c["batch_size"] / 256, c["total_steps"]
    schedule = after(c["warmup_steps"] / total, ramp(0, peak), cosine(peak, 0))
    agree([schedule(step / total) for step in range(total)], expected, rtol=1e-6)


def test_simsiam_steps_by_epoch_and_its_predictor_stays():
    expected, c = curve("simsiam_lr_encoder")
    peak, epochs = c["base_lr"] * c["batch_size"] / 256, c["epochs"]
    agree([cosine(peak, 0)(epoch / epochs) for epoch in range(epochs)], expected)
    agree([constant(peak)(epoch / epochs) for epoch in range(epochs)], load("schedules")["simsiam_lr_predictor"])


def test_mocov3():
    expected, c = curve("mocov3_lr")
    peak, epochs = c["base_lr"] * c["batch_size"] / 256, c["epochs"]
    schedule = after(c["warmup_epochs"] / epochs, ramp(0, peak), cosine(peak, 0))
    agree([schedule(epoch / epochs) for epoch in c["epoch_positions"]], expected)
    expected, c = curve("mocov3_momentum")
    agree([cosine_momentum(c["base_m"], epoch / c["epochs"]) for epoch in c["epoch_positions"]], expected)


def test_dino():
    expected, c = curve("dino_lr")
    warm, total = c["warmup_epochs"] * c["iters_per_epoch"], c["epochs"] * c["iters_per_epoch"]
    first = ramp(c["start_lr"], c["peak_lr"], reach=(warm - 1) / warm)
    schedule = after(warm / total, first, cosine(c["peak_lr"], c["final_lr"]))
    agree([schedule(step / total) for step in range(total)], expected)


def test_dino_weight_decay_and_momentum():
    expected, c = curve("dino_wd")
    training = Training(epochs=c["epochs"], weight_decay=c["start"], weight_decay_end=c["end"])
    agree([weight_decay_at(training, step, c["iters_per_epoch"]) for step in range(len(expected))], expected)
    expected, c = curve("dino_momentum")
    assert c["end"] == 1
    agree([cosine_momentum(c["start"], step / len(expected)) for step in range(len(expected))], expected)


def test_mae_has_no_floor_during_warm_up():
    expected, c = curve("mae_lr")
    peak, epochs = c["base_lr"] * c["batch_size"] / 256, c["epochs"]
    schedule = after(c["warmup_epochs"] / epochs, ramp(0, peak), cosine(peak, c["min_lr"]))
    agree([schedule(epoch / epochs) for epoch in c["epoch_positions"]], expected)


def test_clip_starts_one_step_up():
    expected, c = curve("clip_lr")
    peak, warm, total = c["peak_lr"], c["warmup_steps"], c["total_steps"]
    schedule = after(warm / total, ramp(peak / warm, peak + peak / warm), cosine(peak, 0))
    agree([schedule(step / total) for step in range(total)], expected)


def test_simclr():
    c = load("simclr_lr_schedule")
    n, batch, base = int(c["n_examples"]), int(c["batch_size"]), float(c["base_lr"])
    warm, total = int(int(c["warmup_epochs"]) * n // batch), int(n * int(c["epochs"]) // batch) + 1
    assert (warm, total) == (int(c["warmup_steps"]), int(c["total_steps"]))
    for name, peak in (("lr_linear", base * batch / 256), ("lr_sqrt", base * math.sqrt(batch))):
        schedule = after(warm / total, ramp(0, peak), cosine(peak, 0))
        agree([schedule(int(step) / total) for step in c["steps"]], c[name])
        agree([schedule(int(step) / total) for step in c["steps"]], c[f"{name}_tf_float32"], rtol=1e-5, atol=1e-7)


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


def test_progress_beyond_the_run_stays_at_the_end():
    assert cosine(1, 0.2)(1.5) == pytest.approx(0.2)
    assert ramp(0, 2)(7) == 2
    assert after(0.5, constant(1), cosine(1, 0.2))(3) == pytest.approx(0.2)
    assert milestones(1, (0.5,), 0.5)(2) == 0.5
    assert cosine_momentum(0.99, 2.0) == 1
