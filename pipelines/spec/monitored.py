"""Numbers that training records about itself, as claims and tables name them."""

from typing import Annotated

from pydantic import AfterValidator

from pipelines.spec.mistakes import suggestion

SCORES = tuple(f"{side}_{number}" for side in ("positive", "negative") for number in ("mean", "variance"))
RECORDED: dict[str, tuple[str, ...]] = {
    "collapse": ("spread", "effective_rank", "median_cosine"),
    "scores": (*SCORES, *(f"untransformed_{name}" for name in SCORES)),
    "fluctuation": ("negative_mean", "negative_variance", "gradient_norm", "loss"),
    "dips": ("online_knn", "online_knn_deepest", "loss"),
    "eval": ("online_knn",),
}
"""Family -> its numbers. Whether a training has them depends on its method: those without scores record none of them."""
OWN = "train"
"""The family of loss, rate, norms of gradients and what a method adds of its own, which only the method knows."""


def _recorded(name: str) -> str:
    """The name of a monitor, or ValueError where no training records it."""
    family, _, number = name.partition("/")
    known = [f"{kind}/{each}" for kind, numbers in RECORDED.items() for each in numbers]
    if not number or (family != OWN and name not in known):
        common = [f"{OWN}/{each}" for each in ("loss", "gradient_norm", "first_layer_gradient_norm")]
        raise ValueError(f"training records no {name!r}; {suggestion(name, [*known, *common])}")
    return name


Monitor = Annotated[str, AfterValidator(_recorded)]
"""FAMILY/NUMBER of ``RECORDED``, or ``train/NUMBER``."""
