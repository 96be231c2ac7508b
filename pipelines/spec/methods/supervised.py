"""Options of supervised training."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """Cross entropy on the labels: the upper reference. The whole pretraining split must be labelled (STL-10:
    ``unlabelled: false``); planning does not know the labels, so that is checked when training starts."""

    needs_labels: ClassVar[bool] = True
    use: Literal["supervised"] = "supervised"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread over all classes."""

    def default_views(self, image_size: int | None) -> Views:
        """One view: random resized crop and flip; up to 64 pixels a translation by an eighth of the side and flip.

        The translation is the usual CIFAR recipe, 4 pixels at 32, but with a reflected border instead of a black one.
        """
        plain = Augmentation(scale=(0.08, 1.0), jitter_prob=0.0, grayscale=0.0, blur=0.0)
        if image_size is not None and image_size <= 64:
            plain = plain.model_copy(update={"scale": (1.0, 1.0), "ratio": (1.0, 1.0), "translate": image_size // 8})
        return Views(augmentations=(plain,))

    def default_training(self) -> dict[str, Any]:
        """SGD at 0.1 for a batch of 256, a tenth of it every 30 of 90 epochs (torchvision's reference for ResNets)."""
        return {"lr_per_256": 0.1, "schedule": "step", "milestones": (1 / 3, 2 / 3)}
