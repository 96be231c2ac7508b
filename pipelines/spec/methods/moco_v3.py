"""Options of MoCo v3."""

from typing import Any, Literal

from pipelines.spec.base import Count, Positive, Share
from pipelines.spec.encoders.timm import Options as Timm
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.methods.parts import byol_pair
from pipelines.spec.training import Training
from pipelines.spec.views import Views


class Options(MethodOptions):
    """MoCo v3 (Chen et al. 2021, arXiv:2104.02057)."""

    use: Literal["moco_v3"] = "moco_v3"
    head: Literal["auto", "resnet", "vit"] = "auto"
    """resnet: two projector layers, no norm on the prediction. vit: three, and a norm there; a ViT then starts Xavier-
    uniform, and training, crops and temperature default to the ViT recipe. auto: by the encoder (heads, start and
    temperature; training and crops cannot follow it)."""
    temperature: Positive | None = None
    """None: 1.0 with the ResNet heads, 0.2 with the ViT ones."""
    momentum: Share = 0.99
    """Of the key network's moving average at the start, a cosine to 1 over the run; 0.996 for ResNet at 1000 epochs."""
    hidden: Count = 4096
    """Width of the heads' hidden layers."""
    dim: Count = 256
    """Size of the embedding."""
    freeze_patch_projection: bool = False
    """Leave a ViT's patch projection at its random start (section 4.2; on in the released ViT recipes)."""

    def own_encoder(self, encoder: Encoder) -> bool:
        return isinstance(encoder, ViT)

    def default_views(self, image_size: int | None) -> Views:
        """BYOL's, crops from 0.08 of the image, or 0.2 with ``head: resnet``; without blur up to 64 pixels."""
        smallest = 0.2 if self.head == "resnet" else 0.08
        return Views(augmentations=byol_pair(smallest, blur=image_size is None or image_size > 64))

    def default_training(self) -> dict[str, Any]:
        """The ViT recipe with ``head: vit``, else the ResNet recipe at 300 epochs."""
        if self.head == "vit":  # decay on all parameters, norms, biases and class token included
            return {
                "optimizer": "adamw",
                "lr_per_256": 1.5e-4,
                "weight_decay": 0.1,
                "decay_norm_and_bias": True,
                "warmup_epochs": 40.0,
            }
        return {
            "optimizer": "lars",
            "lr_per_256": 0.3,
            "weight_decay": 1e-6,
            "decay_norm_and_bias": False,
            "warmup_epochs": 10.0,
        }

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """Both views pass both networks."""
        both = views_gflops(encoder, views, side)
        return Passes(both, both)

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if self.freeze_patch_projection and not isinstance(encoder, ViT | Timm):
            raise ValueError(
                f"freeze_patch_projection: a {encoder.use} has no patch projection; leave it out or use encoder vit"
            )
        if self.head == "auto" and isinstance(encoder, ViT) and training.optimizer == "lars":
            raise ValueError(
                "training.optimizer lars is the ResNet recipe, the encoder is a ViT; say head: vit to train by the ViT "
                "recipe (adamw), or to keep lars on purpose"
            )
