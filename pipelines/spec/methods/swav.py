"""Options of SwAV."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, NotNegative, Positive
from pipelines.spec.methods.base import Encoder, MethodOptions
from pipelines.spec.methods.parts import Crops, FeatureTransform, local_side
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """SwAV (Caron et al. 2020, arXiv:2006.09882). Defaults are the released recipe at batch 4096.

    At batch 256 the release has lr_per_256 0.6, no warm-up, and a queue of 3840 from epoch 15.
    """

    use: Literal["swav"] = "swav"
    prototypes: Count = 3000
    """Cluster centres, unit rows that every sample is scored against."""
    hidden: Count = 2048
    """Width of the projector's hidden layer."""
    dim: Count = 128
    """Size of the embedding."""
    temperature: Positive = 0.1
    """Of the predicted distribution over prototypes."""
    epsilon: float = Field(default=0.05, ge=0.003, allow_inf_nan=False)
    """Smoothness of the codes; higher is smoother."""
    sinkhorn_iterations: Count = 3
    frozen_epochs: NotNegative = 1.0
    """Epochs at the start in which the prototypes do not learn (the release counts iterations: about one epoch)."""
    queue_size: int = Field(default=0, ge=0)
    """Past embeddings of each full-size view, of all processes, that codes are balanced with; 0: none. A multiple of
    the batch."""
    queue_start_epoch: NotNegative = 15.0
    """Epoch from which the queue is filled; it is used once it is full."""
    crops: Crops = Crops()
    """Six small views by default, or four up to 64 pixels. They predict codes and have none."""
    feature_transform: FeatureTransform | None = None
    """Positive extrapolation (arXiv:2108.02982): a view's embedding is pushed away from that of the view whose code it
    predicts. The negative side has to be off."""

    @model_validator(mode="after")
    def _no_negatives(self) -> Self:
        if self.feature_transform:
            self.feature_transform.without_negatives("SwAV", "scores prototypes")
        return self

    @property
    def short_name(self) -> str:
        return "swav" + ("_ft" if self.feature_transform else "")

    @property
    def epoch_shares(self) -> dict[str, float]:
        return {"frozen_epochs": 0.1, **({"queue_start_epoch": 0.1} if self.queue_size else {})}

    def default_views(self, image_size: int | None) -> Views:
        """Two full-size and six small crops, all distorted alike.

        Up to 64 pixels: four small crops of half the side (scales as solo-learn's CIFAR multi-crop), without blur.
        """
        small = image_size is not None and image_size <= 64
        count = self.crops.local if self.crops.local is not None else (4 if small else 6)
        full, local = ((0.2, 1.0), (0.08, 0.5)) if small else ((0.14 if count else 0.08, 1.0), (0.05, 0.14))
        kind = Augmentation(
            count=2,
            scale=self.crops.full_scale or full,
            jitter=(0.8, 0.8, 0.8, 0.2),
            blur=0.0 if small else 0.5,
        )
        if not count:
            return Views(augmentations=(kind,))
        change = {"count": count, "scale": self.crops.local_scale or local, "size": local_side(image_size)}
        return Views(augmentations=(kind, kind.model_copy(update=change)))

    def default_training(self) -> dict[str, Any]:
        return {
            "optimizer": "larc",
            "lr_per_256": 0.3,
            "weight_decay": 1e-6,
            "warmup_epochs": 10.0,
            "final_lr_share": 0.001,
        }

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if self.queue_size % training.batch_size:
            raise ValueError(
                f"queue_size {self.queue_size} must be a multiple of batch_size {training.batch_size}; "
                f"{max(1, self.queue_size // training.batch_size) * training.batch_size} would do"
            )
        if self.queue_size and self.queue_start_epoch >= training.epochs:
            raise ValueError(
                f"queue_start_epoch {self.queue_start_epoch:g} must be less than epochs ({training.epochs}), else the "
                f"queue of {self.queue_size} is never used; lower it, or set queue_size: 0"
            )
