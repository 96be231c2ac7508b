"""Options of CMC."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Count, Interval, Positive, Share
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.views import Augmentation, Views

SPLIT_CHANNELS: dict[str, tuple[int, ...]] = {
    "lab": (1, 2),
    "ycbcr": (1, 2),
    "ydbdr": (1, 2),
    "edges": (1, 2),
    "none": (3,),
}
"""Split -> channels of each view it gives."""


class Options(MethodOptions):
    """CMC (Tian et al. 2019, arXiv:1906.05849)."""

    use: Literal["cmc"] = "cmc"
    split: Literal["lab", "ycbcr", "ydbdr", "edges", "none"] = "lab"
    """How an image becomes views. lab (the paper), ycbcr, ydbdr: lightness against the two colour channels. edges: grey
    values against unsigned gradients, for grey data; ours, not the paper's. none: the image itself, with ``fields``."""
    fields: dict[str, Count] = {}
    """Further views: fields of the data set (``dataset.fields``), by name with their channels, e.g. {depth: 1}."""
    pairs: Literal["full", "core"] = "full"
    """With more than two views. full: every view with every other. core: the first view with every other."""
    joint_crop: Interval = (0.2, 1.0)
    """With ``fields``: area of the random crop, the same for all views of an image, as a share of it."""
    joint_flip: Share = 0.5
    """With ``fields``: probability of a flip, the same for all views; 0 where values name a direction (normals)."""
    loss: Literal["nce", "info_nce"] = "nce"
    """nce: binary questions, Z fixed at the first step. info_nce: the released code's softmax over 1 + K slots."""
    temperature: Positive = 0.07
    """0.1 on STL-10."""
    num_negatives: Count = 4096
    """Slots drawn for each image, the same for all pairs of views; 4096 in the published models."""
    bank_momentum: Share = 0.5
    """Share of its old content that a slot keeps at a visit."""
    bank_start: Literal["uniform", "unit"] = "uniform"
    """uniform: the released code's, not normalised. unit: random unit vectors (PyContrast)."""
    dim: Count = 128
    """Size of the embedding."""

    feature_transform: FeatureTransform | None = None
    """Zhu et al. 2021 (arXiv:2108.02982), ours to place here: the slot is the key, the drawn slots are the queue. For
    ``loss: info_nce`` only."""

    @model_validator(mode="after")
    def _transform(self) -> Self:
        if self.feature_transform:
            self.feature_transform.of_drawn(self.loss, "CMC")
        return self

    @property
    def short_name(self) -> str:
        return "cmc" + ("_ft" if self.feature_transform else "")

    @model_validator(mode="after")
    def _enough_views(self) -> Self:
        if self.split == "none" and not self.fields:
            raise ValueError("split none leaves one view; name fields, or use split: lab (edges for grey images)")
        if not 0 < self.joint_crop[0] <= self.joint_crop[1] <= 1:
            raise ValueError(f"joint_crop must be [low, high] with 0 < low <= high <= 1, got {list(self.joint_crop)}")
        return self

    @property
    def branches(self) -> int:
        return len(SPLIT_CHANNELS[self.split])

    def own_encoder(self, encoder: Encoder) -> bool:
        return True

    def check_channels(self, channels: int) -> None:
        if self.split in ("lab", "ycbcr", "ydbdr") and channels != 3:
            raise ValueError(
                f"split: {self.split} is made of red, green and blue, and these images have {channels} channels; set "
                "split: edges, which takes their mean, or leave cmc out"
            )

    def default_views(self, image_size: int | None) -> Views:
        """One view, crop and flip, in the split's colours. With ``fields`` the whole image: the method itself then cuts
        image and fields, by the same box. The recipe must then leave crop and flip alone."""
        plain = Augmentation(jitter_prob=0.0, grayscale=0.0, blur=0.0)
        if self.split in ("lab", "ycbcr", "ydbdr"):
            plain = plain.model_copy(update={"colour": self.split})
        if self.fields:
            plain = plain.model_copy(update={"scale": (1.0, 1.0), "ratio": (1.0, 1.0), "flip": 0.0})
        return Views(augmentations=(plain,))

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """Every view of an image, and every field, passes an encoder of its own."""
        branches = (1 if self.split == "none" else 2) + len(self.fields)
        return Passes(branches * views_gflops(encoder, views, side))

    def default_training(self) -> dict[str, Any]:
        """SGD, a tenth of the rate after 120, 160 and 200 of 240 epochs."""
        return {"schedule": "step", "milestones": (0.5, 2 / 3, 5 / 6)}
