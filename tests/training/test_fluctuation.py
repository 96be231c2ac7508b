from pathlib import Path

import numpy as np
import pytest

from pipelines.history import History
from pipelines.training.fluctuation import fluctuations, moves


def history(path: Path, values: list[float], metric: str = "scores/negative_mean") -> Path:
    with History.open(path) as out:
        for step, value in enumerate(values):
            out.log(10 * step, {metric: value})
    return path


def test_noise_moves_by_its_deviation_times_the_root_of_two() -> None:
    noise = np.random.default_rng(0).normal(5.0, 0.3, 20_000)
    assert moves(noise.tolist()) == pytest.approx(0.3 * 2**0.5, rel=0.02)
    assert moves([1.0, 1.0, 1.0]) == 0.0
    assert moves([0.0, 3.0, -1.0]) == pytest.approx(((9 + 16) / 2) ** 0.5)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("scores/negative_mean", "negative_mean"),
        ("scores/negative_variance", "negative_variance"),
        ("train/gradient_norm", "gradient_norm"),
        ("train/loss", "loss"),
    ],
)
def test_only_the_second_half_counts(metric: str, name: str, tmp_path: Path) -> None:
    """Steps 0 to 60: from 30 on the values are 0.2, 0.5, 0.2, 0.6."""
    path = history(tmp_path / "h.jsonl", [-1.0, 1.0, -1.0, 0.2, 0.5, 0.2, 0.6], metric)
    expected = ((0.3**2 + 0.3**2 + 0.4**2) / 3) ** 0.5
    assert fluctuations(path) == {f"final/fluctuation/{name}": pytest.approx(expected)}


def test_too_few_readings_say_nothing(tmp_path: Path) -> None:
    assert fluctuations(history(tmp_path / "h.jsonl", [0.1, 0.2, 0.3])) == {}
