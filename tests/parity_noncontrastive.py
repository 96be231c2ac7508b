"""Comparison at the tolerances of parity/README_noncontrastive.md, which differ from the contrastive ones."""

import numpy as np
import torch
from torch import Tensor


def assert_close(actual: Tensor, expected: np.ndarray, dtype: torch.dtype, atol: float | None = None) -> None:
    """Equal shape, ``actual`` computed in ``dtype``, and within the README's tolerance of the float64 ``expected``."""
    assert actual.dtype == dtype, f"computed in {actual.dtype}, not in {dtype}"
    assert tuple(actual.shape) == expected.shape, f"shape {tuple(actual.shape)}, expected {expected.shape}"
    largest = float(np.abs(expected).max(initial=0.0))
    relative, absolute = (1e-6, 1e-9) if dtype == torch.float64 else (1e-4, max(1e-7, 1e-5 * largest))
    np.testing.assert_allclose(
        actual.detach().numpy(), expected, rtol=relative, atol=absolute if atol is None else atol
    )
