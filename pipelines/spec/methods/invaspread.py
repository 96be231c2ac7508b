"""Options of InvaSpread."""

from typing import Any, Literal

from pipelines.spec.base import Count, Positive
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """InvaSpread (Ye et al. 2019, arXiv:1904.03436)."""

    use: Literal["invaspread"] = "invaspread"
    temperature: Positive = 0.1
    dim: Count = 128
    """Size of the embedding."""
    negative_weight: Positive = 1.0
    """The released code's factor m of the negatives, in the denominator and in their sum."""
    detach: bool = True
    """Whether a row learns only as an anchor, as in the released code; false: as a candidate too."""

    def default_views(self, image_size: int | None) -> Views:
        """Two views, both augmented (the paper speaks of an image and one augmented copy), jittered before grayscale."""
        return Views(augmentations=(Augmentation(count=2, jitter=(0.4, 0.4, 0.4, 0.4), jitter_prob=1.0, blur=0.0),))

    def default_training(self) -> dict[str, Any]:
        """SGD at 0.03 for a batch of 128, a tenth after 120 and a hundredth after 200 of 301 epochs.

        The released code also goes to a twentieth at epoch 160; a step schedule here has one factor.
        """
        return {"lr_per_256": 0.06, "weight_decay": 5e-4, "schedule": "step", "milestones": (0.4, 0.664)}
