"""How a claim may relate two groups."""

from typing import Literal

Relation = Literal["greater", "less", "at_least", "equivalent"]
"""Of the difference d, first minus second, and the margin m: d > m, d < -m, d > -m, -m < d < m."""
