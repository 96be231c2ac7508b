"""Options of the linear probe on augmented images."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pipelines.spec.base import Positive, Share
from pipelines.spec.counts import Counts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.parts import Feature, OnImages, check_tokens

FORMS: dict[str, dict[str, Any]] = {
    "moco": {"epochs": 100, "lrs": (3.0, 10.0, 30.0, 100.0), "schedule": "step", "milestones": (0.6, 0.8)},
    "simclr": {"epochs": 90, "batch_size": 4096, "lrs": (0.03, 0.1, 0.3, 1.0)},
    "swav": {"epochs": 100, "lrs": (0.1, 0.3, 1.0, 3.0), "weight_decay": 1e-6},
    "mae": {
        "epochs": 90, "batch_size": 16384, "lrs": (0.03, 0.1, 0.3, 1.0), "optimizer": "lars",
        "warmup_epochs": 10.0, "batch_norm": True,
    },
}  # fmt: skip
"""Form -> what it sets where nothing is given. Sources: He et al. 2020, arXiv:1911.05722, section 4.1 (lr 30, times 0.1 at
60 and 80 of 100 epochs); Chen et al. 2020, arXiv:2002.05709, appendix B.6 (0.1 a batch of 256); SwAV's eval_linear.py (0.3,
cosine, decay 1e-6); He et al. 2022, arXiv:2111.06377, appendix A.1 (LARS, 0.1, batch norm without gains). The published rate
stands among its neighbours, so that other encoders find theirs."""


class Options(OnImages):
    """Linear classifiers on a frozen encoder, trained on crops and flips of the images, one for every candidate.

    Everything that ``form`` decides can be given by itself.
    """

    use: Literal["linear_augmented"] = "linear_augmented"
    form: Literal["moco", "simclr", "swav", "mae"] = "moco"
    """Whose settings stand where none are given."""
    lrs: tuple[Positive, ...] = Field(default=(30.0,), min_length=1)
    """Candidate learning rates for a batch of 256, all trained in one pass, chosen on the held-out slice."""
    features: tuple[Feature, ...] = Field(default=("pooled",), min_length=1)
    """Candidate features, each tried with every rate; see ``Feature``."""
    batch_norm: bool = False
    """Batch norm without gains before the classifier (MAE)."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: tuple[Share, ...] = (0.6, 0.8)
    """Shares of training after which a step schedule takes a tenth of the rate."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        form = FORMS.get(given.get("form", "moco")) if isinstance(given, dict) else None
        if form is None:
            return given
        filled = {**form, **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}}
        if (
            "warmup_epochs" not in given and type(given.get("epochs")) is int
        ):  # a short run warms up for a tenth at most
            filled["warmup_epochs"] = min(form.get("warmup_epochs", 0.0), given["epochs"] / 10)
        return filled

    @model_validator(mode="after")
    def _different(self) -> "Options":
        for name in ("lrs", "features"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} must be different, got {list(getattr(self, name))}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs:g}) must be less than epochs ({self.epochs})")
        return self

    def training(self) -> dict[str, Any]:
        own = {"lr_per_256": max(self.lrs), "schedule": self.schedule, "milestones": self.milestones}
        return super().training() | own

    def step_gflops(self, forward: float) -> float:
        return forward  # nothing goes back through a frozen encoder

    def check_encoder(self, encoder: EncoderOptions, own: bool) -> None:
        check_tokens(self.features, encoder)

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        choices = len(self.features) * len(self.lrs)
        counts.check_held_out("linear_augmented", choices, "candidates (features x lrs)", "give one feature and one lr")
