"""The pieces that schedules are put together from, against the curves of the methods' released code."""

import math

import pytest
from parity_tools import load
from schedule_tools import agree, curve

from pipelines.schedules import after, constant, cosine, milestones, ramp


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


def test_dino():
    expected, c = curve("dino_lr")
    warm, total = c["warmup_epochs"] * c["iters_per_epoch"], c["epochs"] * c["iters_per_epoch"]
    first = ramp(c["start_lr"], c["peak_lr"], reach=(warm - 1) / warm)
    schedule = after(warm / total, first, cosine(c["peak_lr"], c["final_lr"]))
    agree([schedule(step / total) for step in range(total)], expected)


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


def test_progress_beyond_the_run_stays_at_the_end():
    assert cosine(1, 0.2)(1.5) == pytest.approx(0.2)
    assert ramp(0, 2)(7) == 2
    assert after(0.5, constant(1), cosine(1, 0.2))(3) == pytest.approx(0.2)
    assert milestones(1, (0.5,), 0.5)(2) == 0.5
