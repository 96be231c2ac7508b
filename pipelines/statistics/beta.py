"""The density of the weights that feature transformation draws."""

import math


def symmetric_density(x: float, alpha: float) -> float:
    """Of Beta(alpha, alpha) at x in (0, 1), alpha above 0; it is even about 1/2, and 1 everywhere for alpha 1."""
    assert 0 < x < 1, f"x has to lie in (0, 1), got {x}"
    assert alpha > 0, f"alpha has to be positive, got {alpha}"
    log_norm = math.lgamma(2 * alpha) - 2 * math.lgamma(alpha)
    return math.exp(log_norm + (alpha - 1) * (math.log(x) + math.log1p(-x)))
