"""Options of the peers: methods that are trained with the parts of lightly (github.com/lightly-ai/lightly), for comparison."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec import kinds
from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes
from pipelines.spec.methods.parts import Crops
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views

Peer = Literal["simclr", "moco_v2", "byol", "simsiam", "barlow_twins", "vicreg", "swav", "dino"]
OURS: dict[Peer, str] = {"moco_v2": "moco"}
"""Our file of the same method, where it has another name."""
USES: dict[Peer, tuple[str, ...]] = {
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
}  # fmt: skip
"""The options that each method has."""
SOLARIZING: tuple[Peer, ...] = ("byol", "barlow_twins", "vicreg", "dino")
"""Methods whose transforms solarise."""
MULTI_CROP: tuple[Peer, ...] = ("swav", "dino")
"""Methods whose transforms cut small views too, which end below the whole image."""


class Options(MethodOptions):
    """A method as lightly's documentation writes it (1.6): its transforms, heads, losses and momentum updates.

    Options are those of our method of the same name, and have its defaults; those that it does not have are refused.
    """

    use: Literal["lightly"] = "lightly"
    method: Peer = "simclr"
    """Which of lightly's methods."""
    transforms: Literal["lightly", "ours"] = "lightly"
    """Who makes the views that the recipe describes: lightly from PIL pictures, one by one, or we."""
    temperature: Positive | None = None
    """SimCLR, MoCo v2, SwAV."""
    momentum: Share | None = None
    """Of the moving average in the first epoch (MoCo v2, BYOL, DINO)."""
    last_momentum: Share | None = None
    """In the last one, 1 unless given, along a cosine by epoch; the same as ``momentum``: constant."""
    queue_size: Count | None = None
    """Keys in the memory bank (MoCo v2)."""
    hidden: Count | None = None
    """Width of the heads' hidden layers; none: the encoder's width."""
    predictor_hidden: Count | None = None
    """Width of the predictor's hidden layer (BYOL: none is ``hidden``; SimSiam: none is a quarter of ``dim``)."""
    dim: Count | None = None
    """Size of the embedding."""
    off_diagonal: NotNegative | None = None
    """Lambda of Barlow Twins."""
    invariance: NotNegative | None = None
    """Weight of VICReg's squared distance."""
    variance: NotNegative | None = None
    """Weight of VICReg's hinge, of which lightly takes the mean of both views: twice ours where ours has scale: paper."""
    covariance: NotNegative | None = None
    """Weight of VICReg's covariances."""
    epsilon: float | None = Field(default=None, ge=0.003, allow_inf_nan=False)
    """Smoothness of SwAV's codes."""
    sinkhorn_iterations: Count | None = None
    prototypes: Count | None = None
    """SwAV's cluster centres."""
    frozen_epochs: NotNegative | None = None
    """Epochs at the start in which SwAV's prototypes, or the last layer of DINO's head, do not learn."""
    crops: Crops | None = None
    """Multi-crop (SwAV, DINO): how many small views, and the areas of all."""
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

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_ours(cls, data: Any) -> Any:
        if not isinstance(data, dict) or (method := data.get("method", "simclr")) not in USES:
            return data
        ours = _ours(method)
        same = {name: getattr(ours, name) for name in USES[method] if name in type(ours).model_fields}
        last = {"last_momentum": 1.0} if "last_momentum" in USES[method] else {}
        crops = data.get("crops")
        if isinstance(crops, dict):  # what leaves here is no JSON any more, in which a list may be a tuple
            data = {**data, "crops": {name: tuple(of) if isinstance(of, list) else of for name, of in crops.items()}}
        return {**same, **last, **data}

    @model_validator(mode="after")
    def _no_other(self) -> Self:
        for name in sorted({name for names in USES.values() for name in names} - set(USES[self.method])):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: {self.method} has no such option; it has {', '.join(USES[self.method])}")
        return self

    @property
    def short_name(self) -> str:
        return f"{self.method}_lightly"

    @property
    def peer_transforms(self) -> str | None:
        return self.method if self.transforms == "lightly" else None

    @property
    def twin(self) -> MethodOptions:
        """Our method of the same name with these options."""
        kind = type(_ours(self.method))
        shared = {name: getattr(self, name) for name in USES[self.method] if name in kind.model_fields}
        return kind(**{name: value for name, value in shared.items() if value is not None})

    @property
    def resizing(self) -> Literal["bilinear", "bicubic"]:
        """How lightly's transforms of the method resize what they cut."""
        return "bicubic" if self.method == "dino" else "bilinear"

    def default_views(self, image_size: int | None) -> Views:
        """Those of our method, resized as lightly does."""
        views = self.twin.default_views(image_size)
        plain = tuple(kind.model_copy(update={"interpolation": self.resizing}) for kind in views.augmentations)
        return views.model_copy(update={"augmentations": plain})

    def default_training(self) -> dict[str, Any]:
        return self.twin.default_training()

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """As our method of the same name."""
        return self.twin.passes(encoder, views, side)

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        """The limits of our method of the same name; lightly cuts its views from whole images, not from our crops."""
        self.twin.check(training, encoder, num_samples)
        if self.peer_transforms and training.data == "streaming":
            raise ValueError(
                "training.data: streaming: lightly's transforms need resident images; or set transforms: ours"
            )

    def check_channels(self, channels: int) -> None:
        if self.transforms == "lightly" and channels != 3:
            raise ValueError(
                f"transforms: lightly's work on RGB pictures, and these images have {channels} channels; set transforms: ours"
            )

    def check_views(self, views: Views) -> None:
        """ValueError for what lightly's transforms of this method have no argument for."""
        if self.peer_transforms is None:
            return
        if views.jigsaw is not None or views.shared_flip:
            raise ValueError("views: lightly's transforms have no jigsaw and no shared_flip; set transforms: ours")
        sayable = Augmentation(interpolation=self.resizing)  # what lightly's transforms have fixed, they have as here
        for kind in views.augmentations:
            for name in ("ratio", "interpolation", "translate", "grayscale_first", "colour"):
                if getattr(kind, name) != getattr(sayable, name):
                    raise ValueError(
                        f"views: {name} {getattr(kind, name)}: lightly's transforms have {getattr(sayable, name)} alone; "
                        "leave it at that, or set transforms: ours"
                    )
            if kind.scale[1] != 1 and self.method not in MULTI_CROP:
                raise ValueError(
                    f"views: scale {list(kind.scale)}: lightly's crops go up to 1, or set transforms: ours"
                )
            if kind.solarize and self.method not in SOLARIZING:
                raise ValueError(f"views: solarize: lightly's {self.method} has none; set it to 0, or transforms: ours")


def _ours(method: Peer) -> MethodOptions:
    """The options of our method of that name, at their defaults."""
    found = kinds.options_of("pipelines.spec.methods", OURS.get(method, method))()
    assert isinstance(found, MethodOptions)
    return found
