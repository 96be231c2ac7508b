"""How many paired seeds a difference needs, and which difference so many seeds can show.

By Student's paired t-test, whose power is the sign-flip test's within 0.05 from seven pairs on (simulated at effects of 0.5
to 2: the t-test says 0.00 to 0.04 more), and at the floor of six, where every pair has to point the same way, by that. In
units of the values: points with points, fractions with fractions.
"""

import math

from scipy import optimize, stats

from pipelines.statistics.paired import pairs_needed

MOST = 1000
"""Seeds beyond which a question counts as out of reach."""
LARGEST = 100.0
"""Effect (difference over sd) beyond which the non-central t is not computed: the power is 1 long before."""


def power(n: int, difference: float, sd: float, alpha: float = 0.05) -> float:
    """The chance in [0, 1] that n pairs show a true mean ``difference``, and on its own side, at a two-sided alpha.

    Differences are normal with ``sd``. 0 under the floor of the sign-flip test. ValueError for sd <= 0.
    """
    if not sd > 0:
        raise ValueError(f"power needs a spread above 0, got sd {sd}")
    effect, fewest = min(abs(difference) / sd, LARGEST), pairs_needed(alpha)
    if n < fewest:
        return 0.0
    if n == fewest:
        return float(stats.norm.cdf(effect) ** n)
    return float(stats.nct.sf(stats.t.isf(alpha / 2, n - 1), n - 1, effect * math.sqrt(n)))


def seeds_needed(difference: float, sd: float, alpha: float = 0.05, chance: float = 0.8) -> int | None:
    """The fewest pairs that show a true ``difference`` at spread ``sd`` with this chance, never under the floor of six.

    None where a thousand are too few. ValueError for a negative sd or a chance outside (alpha, 1).
    """
    _check(sd, alpha, chance)
    fewest = pairs_needed(alpha)
    if sd == 0:
        return fewest if difference else None
    if power(MOST, difference, sd, alpha) < chance:
        return None
    low, high = fewest, MOST
    while low < high:  # power grows with n
        middle = (low + high) // 2
        enough = power(middle, difference, sd, alpha) >= chance
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def detectable(n: int, sd: float, alpha: float = 0.05, chance: float = 0.8) -> float | None:
    """The smallest true difference that n pairs with spread ``sd`` show with this chance; None under the floor of six."""
    _check(sd, alpha, chance)
    if n < pairs_needed(alpha):
        return None
    if sd == 0:
        return 0.0
    return float(sd * optimize.brentq(lambda effect: power(n, effect, 1.0, alpha) - chance, 0.0, LARGEST, xtol=1e-9))


def _check(sd: float, alpha: float, chance: float) -> None:
    if sd < 0 or not alpha < chance < 1:
        raise ValueError(f"sd has to be 0 or more and chance between alpha and 1, got sd {sd}, chance {chance}")
