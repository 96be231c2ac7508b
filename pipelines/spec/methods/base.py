"""What the options of every method have in common."""

from typing import Any, ClassVar, NamedTuple, Self

from pipelines.spec.base import Model
from pipelines.spec.encoders.base import EncoderOptions as Encoder
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Passes(NamedTuple):
    """Multiply-adds in billions of forward passes of one image in a step."""

    learning: float
    """Through networks that learn: their backward pass costs twice as much again."""
    following: float = 0.0
    """Through moving averages, which have none."""

    @property
    def gflops(self) -> float:
        """Of the step."""
        return 3 * self.learning + self.following


def views_gflops(encoder: Encoder, views: Views, side: int, first: int | None = None) -> float:
    """Multiply-adds in billions of one pass of the ``first`` views of an image, none: of all and of a jigsaw's patches."""
    found = sum(encoder.forward_gflops(kind.size or side) for kind in views.kinds[:first])
    if first is None and (puzzle := views.jigsaw):
        found += puzzle.grid**2 * encoder.forward_gflops(puzzle.patch)
    return found


class PeerTransforms(NamedTuple):
    """Whose transforms make a method's views, where they are not ours."""

    package: str
    """The library, and the file of that name in views/."""
    method: str
    """Which of its methods."""


class MethodOptions(Model):
    """Options of one method. A subclass narrows ``use`` to ``Literal[NAME] = NAME`` and adds fields."""

    use: str = ""
    """The method's name: its file here and in methods/."""
    needs_labels: ClassVar[bool] = False
    """Whether it trains on labels."""
    text: ClassVar[bool] = False
    """Whether the method embeds captions beside images, which zero-shot evaluation needs."""

    @property
    def num_head_layers(self) -> int:
        """How many layers of the head an evaluation can keep on the encoder; 0: the head is not kept, or not layered."""
        return 0

    @property
    def short_name(self) -> str:
        """A readable name for keys and tables, e.g. moco_v2_ft."""
        return str(self.use)

    def known(self) -> Self:
        """With all that files on this machine say written out; InputError for a wrong file, beginning with the option."""
        return self

    @property
    def branches(self) -> int:
        """Encoders of the study's kind that the evaluated one is made of, their features side by side."""
        return 1

    def own_encoder(self, encoder: Encoder) -> bool:
        """Whether the method builds or initialises this encoder in a way of its own, so that its floor is its own too."""
        return False

    @property
    def newborn(self) -> "MethodOptions":
        """The method whose encoder at step 0 is this one's too: itself, but of a peer our method of the same name."""
        return self

    @property
    def epoch_shares(self) -> dict[str, float]:
        """Options measured in epochs -> the largest share of the run that their *default* may take, so that a short run
        is not all beginning. Warm-ups of the learning rate are training's; ``resolve`` keeps those to a tenth."""
        return {}

    def default_views(self, image_size: int | None) -> Views:
        """The recipe of the paper; ``image_size`` (pixels, none: unknown) lets it follow the paper's small-image form."""
        return Views(augmentations=(Augmentation(count=2),))

    @property
    def peer_transforms(self) -> PeerTransforms | None:
        """The peer whose transforms make the views of the recipe; none: ours make them."""
        return None

    def default_training(self) -> dict[str, Any]:
        """Where this method's training differs from the defaults of ``Training``."""
        return {}

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """What one image costs in a step; side: of the data set's images, in pixels. Heads are not counted.

        Every view passes the encoder that learns.
        """
        return Passes(views_gflops(encoder, views, side))

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        """ValueError when the options do not go with the rest; num_samples: of the pretraining split, where known."""

    def check_channels(self, channels: int) -> None:
        """ValueError when the method cannot learn from images of so many channels."""

    def check_views(self, views: Views) -> None:
        """ValueError when the method cannot have the views of this recipe."""
