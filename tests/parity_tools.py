"""Loads the numeric fixtures of tests/parity and compares against them at the tolerances their READMEs state."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

PARITY = Path(__file__).parent / "parity"

# dtype -> (relative, absolute as a share of the largest expected entry)
TOLERANCES = {torch.float64: (1e-6, 1e-9), torch.float32: (1e-4, 5e-5)}

both_precisions = pytest.mark.parametrize(
    "dtype", [pytest.param(torch.float64, id="float64"), pytest.param(torch.float32, id="float32")]
)
"""Decorator: runs a test with ``dtype`` float64 and float32."""


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of ``tests/parity/NAME.npz`` as stored (float64, int64, uint8, strings)."""
    with np.load(PARITY / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def tensors(name: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Like ``load``, as tensors: floats cast to ``dtype``, integers and booleans kept, text left out. Never shared."""
    arrays = {key: value for key, value in load(name).items() if value.dtype.kind in "fiub"}
    return {
        key: torch.from_numpy(value.copy()).to(dtype) if value.dtype.kind == "f" else torch.from_numpy(value.copy())
        for key, value in arrays.items()
    }


def assert_close(
    actual: Tensor | np.ndarray | float,
    expected: Tensor | np.ndarray | float,
    dtype: torch.dtype,
    *,
    least: float = 0.0,
) -> None:
    """Compare with the README's tolerance of ``dtype``; shapes have to be equal, integers exactly.

    ``least`` is a floor under the absolute tolerance, for values that are zero in theory and rounding noise in fact.

    ``expected`` may be float64 while ``actual`` was computed in float32: hand in what ``load`` gives to keep the
    reference unrounded. A float tensor has to have the type ``dtype``, so that no test compares the wrong one.
    """
    expected = expected.detach().cpu().numpy() if isinstance(expected, Tensor) else np.asarray(expected)
    if isinstance(actual, Tensor):
        assert not actual.is_floating_point() or actual.dtype == dtype, f"computed in {actual.dtype}, not in {dtype}"
        actual = actual.detach().cpu().numpy()
    actual = np.asarray(actual)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    relative, share = TOLERANCES[dtype]
    largest = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=relative, atol=max(share * largest, least))
