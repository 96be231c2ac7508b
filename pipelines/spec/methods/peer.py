"""What the options of peers share: methods trained with the parts of another library, for comparison row by row."""

from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from pipelines.spec import kinds
from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, PeerTransforms
from pipelines.spec.methods.parts import Crops
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views

OURS = {"moco_v2": "moco"}
"""Our file of the same method, where it has another name."""

FIXED = ("ratio", "interpolation", "translate", "grayscale_first", "colour")
"""What most peers' transforms have fixed."""


class Transforms(NamedTuple):
    """What a peer's transforms have fixed."""

    resizing: Literal["bilinear", "bicubic"] | None = "bilinear"
    """How they resize what they cut; none: either way."""
    fixed: tuple[str, ...] = FIXED
    """Fields of the recipe that have to be as they are in ``Augmentation``."""
    whole: bool = True
    """Whether crops go up to the whole image, whatever the recipe says."""
    none: tuple[str, ...] = ()
    """Steps that they do not have: fields of the recipe that have to be 0."""


class Peer(MethodOptions):
    """A method as another library's documentation writes it: its transforms, heads, losses and momentum updates.

    Options are those of our method of the same name, and have its defaults; those that it does not have are refused. A
    subclass names the package, narrows ``method`` and says which options each method has.
    """

    package: ClassVar[str]
    """As it is imported; the methods' rows are called by it."""
    uses: ClassVar[dict[str, tuple[str, ...]]]
    """Method -> the options that it has."""
    method: str
    transforms: str
    """Who makes the views that the recipe describes: the package from PIL pictures, one by one, or we."""
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
    """Weight of VICReg's hinge, of which peers take the mean of both views: twice ours where ours has scale: paper."""
    covariance: NotNegative | None = None
    """Weight of VICReg's covariances."""
    epsilon: float | None = Field(default=None, ge=0.003, allow_inf_nan=False)
    """Smoothness of SwAV's codes."""
    sinkhorn_iterations: Count | None = None
    prototypes: Count | None = None
    """SwAV's cluster centres."""
    crops: Crops | None = None
    """Multi-crop (SwAV, DINO): how many small views, and the areas of all."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_ours(cls, data: Any) -> Any:
        if not isinstance(data, dict) or (method := data.get("method", "simclr")) not in cls.uses:
            return data
        ours = our_options(method)
        same = {name: getattr(ours, name) for name in cls.uses[method] if name in type(ours).model_fields}
        last = {"last_momentum": 1.0} if "last_momentum" in cls.uses[method] else {}
        crops = data.get("crops")
        if isinstance(crops, dict):  # what leaves here is no JSON any more, in which a list may be a tuple
            data = {**data, "crops": {name: tuple(of) if isinstance(of, list) else of for name, of in crops.items()}}
        return {**same, **last, **data}

    @model_validator(mode="after")
    def _no_other(self) -> Self:
        for name in sorted({name for names in self.uses.values() for name in names} - set(self.uses[self.method])):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name}: {self.method} has no such option; it has {', '.join(self.uses[self.method])}"
                )
        return self

    @property
    def short_name(self) -> str:
        return f"{self.method}_{self.package}"

    @property
    def peer_transforms(self) -> PeerTransforms | None:
        return PeerTransforms(self.package, self.method) if self.transforms == self.package else None

    @property
    def of_transforms(self) -> Transforms:
        """What the package's transforms of this method have fixed."""
        return Transforms()

    @property
    def twin(self) -> MethodOptions:
        """Our method of the same name with these options."""
        kind = type(our_options(self.method))
        shared = {name: getattr(self, name) for name in self.uses[self.method] if name in kind.model_fields}
        return kind(**{name: value for name, value in shared.items() if value is not None})

    def default_views(self, image_size: int | None) -> Views:
        """Those of our method, resized as the package does."""
        views, resizing = self.twin.default_views(image_size), self.of_transforms.resizing
        if resizing is None:
            return views
        resized = tuple(kind.model_copy(update={"interpolation": resizing}) for kind in views.augmentations)
        return views.model_copy(update={"augmentations": resized})

    def default_training(self) -> dict[str, Any]:
        return self.twin.default_training()

    def own_encoder(self, encoder: Encoder) -> bool:
        return self.twin.own_encoder(encoder)

    @property
    def newborn(self) -> MethodOptions:
        return self.twin

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """As our method of the same name."""
        return self.twin.passes(encoder, views, side)

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        """The limits of our method of the same name; peers cut their views from whole images, not from our crops."""
        self.twin.check(training, encoder, num_samples)
        if self.peer_transforms and training.data == "streaming":
            raise ValueError(
                f"training.data: streaming: {self.package}'s transforms need resident images; or set transforms: ours"
            )

    def check_channels(self, channels: int) -> None:
        if self.peer_transforms and channels != 3:
            raise ValueError(
                f"transforms: {self.package}'s work on RGB pictures, and these images have {channels} channels; set "
                "transforms: ours"
            )

    def check_views(self, views: Views) -> None:
        """ValueError for what the package's transforms of this method have no argument for."""
        if self.peer_transforms is None:
            return
        name, of = self.package, self.of_transforms
        if views.jigsaw is not None or views.shared_flip:
            raise ValueError(f"views: {name}'s transforms have no jigsaw and no shared_flip; set transforms: ours")
        sayable = Augmentation(interpolation=of.resizing or "bilinear")
        for kind in views.augmentations:
            for field in of.fixed:
                if getattr(kind, field) != getattr(sayable, field):
                    raise ValueError(
                        f"views: {field} {getattr(kind, field)}: {name}'s transforms have {getattr(sayable, field)} alone; "
                        "leave it at that, or set transforms: ours"
                    )
            if kind.scale[1] != 1 and of.whole:
                raise ValueError(f"views: scale {list(kind.scale)}: {name}'s crops go up to 1, or set transforms: ours")
            for field in of.none:
                if getattr(kind, field):
                    raise ValueError(
                        f"views: {field}: {name}'s {self.method} has none; set it to 0, or transforms: ours"
                    )


def our_options(method: str) -> MethodOptions:
    """The options of our method of that name, at their defaults."""
    found = kinds.options_of("pipelines.spec.methods", OURS.get(method, method))()
    assert isinstance(found, MethodOptions)
    return found
