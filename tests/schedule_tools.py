"""The curves of tests/parity/schedules.npz, each from a method's released code, with the constants it was drawn with."""

import numpy as np
from parity_tools import load


def curve(name: str) -> tuple[np.ndarray, dict[str, float]]:
    """A curve of the fixture and its constants."""
    arrays = load("schedules")
    constants = {key.split("__")[1]: value for key, value in arrays.items() if key.startswith(f"{name}__")}
    return arrays[name], {key: value if value.ndim else value.item() for key, value in constants.items()}


def agree(got: list[float], expected: np.ndarray, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    """``atol`` as a share of the largest value."""
    assert len(got) == len(expected)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol * np.abs(expected).max())
