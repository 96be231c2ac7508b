from pathlib import Path

import numpy as np
import pytest

from pipelines.history import History
from pipelines.training.fluctuation import fluctuations, moves


def history(path: Path, negatives: list[float]) -> Path:
    with History.open(path) as out:
        for step, value in enumerate(negatives):
            out.log(10 * step, {"scores/negative_mean": value})
    return path


def test_noise_moves_by_its_deviation_times_the_root_of_two() -> None:
    noise = np.random.default_rng(0).normal(5.0, 0.3, 20_000)
    assert moves(noise.tolist()) == pytest.approx(0.3 * 2**0.5, rel=0.02)
    assert moves([1.0, 1.0, 1.0]) == 0.0
    assert moves([0.0, 3.0, -1.0]) == pytest.approx(((9 + 16) / 2) ** 0.5)


def test_only_the_second_half_counts(tmp_path: Path) -> None:
    """Steps 0 to 60: from 30 on the values are 0.2, 0.5, 0.2, 0.6."""
    path = history(tmp_path / "h.jsonl", [-1.0, 1.0, -1.0, 0.2, 0.5, 0.2, 0.6])
    expected = ((0.3**2 + 0.3**2 + 0.4**2) / 3) ** 0.5
    assert fluctuations(path) == {"final/fluctuation/negative_mean": pytest.approx(expected)}


def test_too_few_readings_say_nothing(tmp_path: Path) -> None:
    assert fluctuations(history(tmp_path / "h.jsonl", [0.1, 0.2, 0.3])) == {}
