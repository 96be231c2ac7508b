"""Options of nearest neighbours."""

from typing import Literal

from pydantic import Field

from pipelines.spec.base import Count
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """Weighted nearest neighbours on unit features (Wu et al. 2018, arXiv:1805.01978); nothing is chosen."""

    use: Literal["knn"] = "knn"
    k: Count = 20
    """Neighbours that vote; 20 is DINO's setting, 200 InstDisc's and MoCo's demo."""
    temperature: float = Field(default=0.07, ge=0.02, allow_inf_nan=False)
    """A neighbour of cosine s has the vote exp(s / temperature); below 0.02 the votes would leave float32's range."""
