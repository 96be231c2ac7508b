"""Options of stable-pretraining's methods (github.com/galilai-group/stable-pretraining, 0.1.8)."""

from typing import ClassVar, Literal

from pipelines.spec.methods.peer import Peer, Transforms

USES: dict[str, tuple[str, ...]] = {
    "simclr": ("temperature", "hidden", "dim"),
    "moco_v2": ("temperature", "momentum", "last_momentum", "queue_size", "dim"),
    "byol": ("momentum", "last_momentum", "hidden", "predictor_hidden", "dim"),
    "simsiam": ("predictor_hidden", "dim"),
    "barlow_twins": ("off_diagonal", "hidden", "dim"),
    "vicreg": ("invariance", "variance", "covariance", "hidden", "dim"),
    "swav": ("temperature", "epsilon", "sinkhorn_iterations", "prototypes", "hidden", "dim", "crops"),
}
"""The options that each method has. SimSiam's projector is as wide inside as at its end, SwAV's prototypes always learn."""


class Options(Peer):
    """A method of stable-pretraining (0.1.8) as its class of that name: transforms, heads, losses and momentum updates."""

    package: ClassVar[str] = "stable_pretraining"
    uses: ClassVar[dict[str, tuple[str, ...]]] = USES
    use: Literal["stable_pretraining"] = "stable_pretraining"
    method: Literal["simclr", "moco_v2", "byol", "simsiam", "barlow_twins", "vicreg", "swav"] = "simclr"
    """Which of its methods."""
    transforms: Literal["stable_pretraining", "ours"] = "stable_pretraining"
    """Who makes the views that the recipe describes: the package from PIL pictures, one by one, or we."""

    @property
    def of_transforms(self) -> Transforms:
        return Transforms(resizing=None, fixed=("translate", "grayscale_first", "colour"), whole=False)
