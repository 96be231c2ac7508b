"""Whether the mean of several seeds agrees with a figure somebody printed, within a stated tolerance."""

from typing import Literal

from pipelines.statistics.intervals import Estimate

Outcome = Literal["reproduced", "not reproduced", "not settled"]
LEAST_SEEDS = 3
"""With fewer an interval over seeds is too wide, or too sure, to be trusted."""


def outcome(found: Estimate, figure: float, within: float) -> Outcome:
    """By where the interval lies, and never by the mean alone; all in one unit. ValueError unless ``within`` is above 0.

    reproduced      all of it lies within the tolerance around the figure
    not reproduced  all of it lies outside
    not settled     it reaches over a bound, or stands on fewer than three seeds
    """
    if not within > 0:
        raise ValueError(f"within: no two measured numbers agree within {within}; give a number above 0")
    if found.n < LEAST_SEEDS or found.low is None or found.high is None:
        return "not settled"
    if figure - within <= found.low and found.high <= figure + within:
        return "reproduced"
    if found.high < figure - within or found.low > figure + within:
        return "not reproduced"
    return "not settled"
