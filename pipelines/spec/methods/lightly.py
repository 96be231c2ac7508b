"""Options of lightly's methods (github.com/lightly-ai/lightly, 1.6)."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.methods.peer import FIXED, Peer, Transforms
from pipelines.spec.views import Views

USES: dict[str, tuple[str, ...]] = {
    "simclr": ("temperature", "hidden", "dim"),
    "moco_v2": ("temperature", "momentum", "last_momentum", "queue_size", "dim"),
    "byol": ("momentum", "last_momentum", "hidden", "predictor_hidden", "dim"),
    "simsiam": ("hidden", "predictor_hidden", "dim"),
    "barlow_twins": ("off_diagonal", "hidden", "dim"),
    "vicreg": ("invariance", "variance", "covariance", "hidden", "dim"),
    "swav": ("temperature", "epsilon", "sinkhorn_iterations", "prototypes", "frozen_epochs", "hidden", "dim", "crops"),
    "dino": (
        "student_temperature", "teacher_temperature", "teacher_temperature_start", "teacher_warmup_epochs",
        "centre_momentum", "momentum", "last_momentum", "outputs", "hidden", "bottleneck", "norm", "norm_last_layer",
        "frozen_epochs", "crops",
    ),
    "mae": ("mask_ratio", "norm_pix", "decoder_width", "decoder_depth", "decoder_heads"),
}  # fmt: skip
"""The options that each method has."""
NO_COLOUR = ("jitter_prob", "grayscale", "blur", "solarize")
"""What MAE's transform leaves out: it cuts and flips."""
SOLARIZING = ("byol", "barlow_twins", "vicreg", "dino")
"""Methods whose transforms solarise."""
MULTI_CROP = ("swav", "dino")
"""Methods whose transforms cut small views too, which end below the whole image."""


class Options(Peer):
    """A method as lightly's documentation writes it (1.6): its transforms, heads, losses and momentum updates."""

    package: ClassVar[str] = "lightly"
    uses: ClassVar[dict[str, tuple[str, ...]]] = USES
    use: Literal["lightly"] = "lightly"
    method: Literal["simclr", "moco_v2", "byol", "simsiam", "barlow_twins", "vicreg", "swav", "dino", "mae"] = "simclr"
    """Which of lightly's methods."""
    transforms: Literal["lightly", "ours"] = "lightly"
    """Who makes the views that the recipe describes: lightly from PIL pictures, one by one, or we."""
    frozen_epochs: NotNegative | None = None
    """Epochs at the start in which SwAV's prototypes, or the last layer of DINO's head, do not learn."""
    outputs: Count | None = None
    """Size of the distributions that DINO compares."""
    bottleneck: Count | None = None
    """Size of the unit vector that the last layer of DINO's head scores."""
    norm: Literal["none", "batch"] | None = None
    """Of the hidden layers of DINO's head."""
    norm_last_layer: bool | None = None
    """Whether the gain of DINO's last layer stays at 1."""
    student_temperature: Positive | None = None
    """DINO."""
    teacher_temperature: Positive | None = None
    """Of DINO's teacher after its warm-up."""
    teacher_temperature_start: Positive | None = None
    """Of DINO's teacher in the first epoch; none: no warm-up."""
    teacher_warmup_epochs: int | None = Field(default=None, ge=1)
    """Epochs of that rise."""
    centre_momentum: Share | None = None
    """Of the running mean of the teacher's outputs (DINO)."""
    mask_ratio: float | None = Field(default=None, gt=0, lt=1)
    """Share of the patches that MAE's encoder does not see."""
    norm_pix: bool | None = None
    """Whether MAE rebuilds each patch's pixels less their mean over their deviation; else plain pixels, as in its example."""
    decoder_width: Count | None = None
    """Size of a token in MAE's decoder."""
    decoder_depth: Count | None = None
    """Its blocks."""
    decoder_heads: Count | None = None

    @property
    def of_transforms(self) -> Transforms:
        if self.method == "mae":
            return Transforms(resizing="bicubic", fixed=(*FIXED, "flip"), none=NO_COLOUR)
        return Transforms(
            resizing="bicubic" if self.method == "dino" else "bilinear",
            whole=self.method not in MULTI_CROP,
            none=() if self.method in SOLARIZING else ("solarize",),
        )

    def check_views(self, views: Views) -> None:
        super().check_views(views)
        for kind in views.augmentations:
            if self.method == "mae" and kind.size is not None:
                raise ValueError(
                    f"views: size {kind.size}: the decoder of lightly's mae has positions for the images' size; leave it out"
                )
