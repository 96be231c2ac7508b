"""Options of MoCo v1 and v2, with feature transformation."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Positive, Share
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.methods.parts import AUG_V1, AUG_V2, FeatureTransform
from pipelines.spec.training import Training
from pipelines.spec.views import Views


def _is_none(value: object) -> bool:
    """Left out of what is written: the keys of jobs are those from before there was this option."""
    return value is None


class Options(MethodOptions):
    """MoCo v1 (He et al. 2020, arXiv:1911.05722) and v2 (Chen et al. 2020, arXiv:2003.04297)."""

    use: Literal["moco"] = "moco"
    version: Literal[1, 2] = 2
    """1: linear head, temperature 0.07, step schedule. 2: two-layer head, 0.2, cosine, stronger augmentation."""
    temperature: Positive = 0.2
    """0.2; 0.07 in version 1 unless given."""
    momentum: Share = 0.999
    """Of the key encoder's moving average."""
    final_momentum: Share | None = Field(default=None, exclude_if=_is_none)
    """Where the momentum ends, by a cosine over the run (solo-learn); none: it stays."""
    queue_size: Count = 65536
    """Keys kept as negatives: fewer than the images, a multiple of the batch."""
    dim: Count = 128
    """Size of the embedding."""
    head: Literal["linear", "mlp"] | None = None
    """linear: one layer; mlp: two, hidden as wide as the encoder. None: linear in version 1, mlp in version 2."""
    hidden: Count | None = Field(default=None, exclude_if=_is_none)
    """Width of the head's hidden layer; none: the encoder's."""
    symmetric: bool = False
    """Both views as queries, losses summed, the keys of both enqueued (the CIFAR demo)."""
    bn_splits: Count = 1
    """Batch-norm groups in each process: stand in for shuffled BN over devices (8 in the CIFAR demo). 1 shuffles over the
    processes there are; in one process that is plain BN without any shuffling, where queries and keys share statistics."""
    feature_transform: FeatureTransform | None = None

    @model_validator(mode="before")
    @classmethod
    def _version_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("version") == 1:
            return {"temperature": 0.07, **data}
        return data

    @property
    def two_layers(self) -> bool:
        """Whether the head has a hidden layer."""
        return (self.head or ("linear" if self.version == 1 else "mlp")) == "mlp"

    @property
    def short_name(self) -> str:
        return f"moco_v{self.version}" + ("_ft" if self.feature_transform else "")

    def default_views(self, image_size: int | None) -> Views:
        return Views(augmentations=(AUG_V1 if self.version == 1 else AUG_V2,))

    def default_training(self) -> dict[str, Any]:
        return {"schedule": "step"} if self.version == 1 else {}

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """One view a query, the other a key of the encoder that follows; both of each where it is symmetric."""
        one, both = views_gflops(encoder, views, side, 1), views_gflops(encoder, views, side)
        return Passes(both, both) if self.symmetric else Passes(one, both - one)

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        enqueued = training.batch_size * (2 if self.symmetric else 1)
        if self.queue_size % enqueued:
            raise ValueError(
                f"queue_size {self.queue_size} must be a multiple of the {enqueued} keys a step enqueues "
                f"(batch_size {training.batch_size}{' x 2, symmetric' if self.symmetric else ''}); "
                f"{max(1, self.queue_size // enqueued) * enqueued} would do"
            )
        if num_samples is not None and self.queue_size >= num_samples:
            fits = (num_samples - 1) // enqueued * enqueued
            raise ValueError(
                f"queue_size {self.queue_size} must be smaller than the {num_samples} images trained on, else an image "
                f"meets its own old key as a negative; "
                + (f"at most {fits} goes with this batch" if fits else "lower batch_size too")
            )
        if self.hidden and not self.two_layers:
            raise ValueError(f"hidden {self.hidden}: a linear head has no hidden layer; leave it out, or set head: mlp")
        if training.batch_size % self.bn_splits:
            raise ValueError(f"batch_size {training.batch_size} must be a multiple of bn_splits {self.bn_splits}")
        if training.batch_size < 2 * self.bn_splits:
            raise ValueError(
                f"bn_splits {self.bn_splits} leaves one image of batch_size {training.batch_size} to each batch norm; "
                f"use at most {training.batch_size // 2}"
            )
