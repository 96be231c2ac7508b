"""What the options of every evaluation protocol have in common."""

from typing import ClassVar

from pipelines.spec.base import Model
from pipelines.spec.counts import Counts
from pipelines.spec.datasets.base import Targets
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.methods.base import MethodOptions


class Protocol(Model):
    """Options of one protocol. A subclass narrows ``use`` to ``Literal[NAME] = NAME`` and adds fields."""

    use: str = ""
    """The protocol's name: its file here and in evaluation/."""
    on_images: ClassVar[bool] = False
    """Whether it trains on images from the weights, in a job of its own, instead of reading features."""
    needs_text: ClassVar[bool] = False
    """Whether it needs a method with a text tower, and the weights of that tower beside the features."""

    targets: ClassVar[Targets] = "labels"
    """What it measures images against."""
    class_number: ClassVar[str] = ""
    """What stands before a class's name in the numbers of each: ``iou`` of iou/cat; empty where there are none."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """What it says of test that tables show, the headline first."""
        return ("top1",)

    @property
    def accuracies(self) -> tuple[str, ...]:
        """Every number that could be an objective: fractions, higher is better."""
        return (*self.numbers, "mean_per_class", "top5") if "top1" in self.numbers else self.numbers

    def is_called(self, name: str) -> bool:
        """Whether a name means it: ``finetune``, or with values of its options ``finetune[label_share=0.01]``."""
        use, _, options = name.removesuffix("]").partition("[")
        pairs = [each.strip().partition("=") for each in options.split(",") if each]
        known = type(self).model_fields
        return use == self.use and all(key in known and str(getattr(self, key)) == value for key, _, value in pairs)

    @property
    def names_by_train(self) -> bool:
        """Whether it can give a test image only classes that train has."""
        return True

    def check_counts(self, counts: Counts) -> None:
        """InputError, by the protocol's name, where there are too few images for it to measure anything.

        A class that train or test lacks is no obstacle in itself: it is never named, or never asked about; one at least has to
        be in both. What does not measure against one label an image has no classes to count.
        """
        if self.targets == "labels":
            counts.check_classes(self.use, "train", counts.train)
            counts.check_classes(self.use, "test", counts.test)
            if self.names_by_train:
                counts.check_shared(self.use)

    def check_encoder(self, encoder: EncoderOptions, own: bool) -> None:
        """ValueError where the protocol cannot work on this encoder; own: a method builds it in a way of its own."""

    def no_objective(self) -> str | None:
        """Why no number of it can judge a trial of tuning on the held-out slice; none: each can."""
        return None

    @property
    def training_gflops(self) -> float:
        """Multiply-adds in billions of training on images, of a ResNet-50; 0 where that is not known beforehand."""
        return 0.0

    def gflops(self, forward: float, images: int) -> float:
        """Multiply-adds in billions of measuring once; forward: those of an image in the encoder. On features: one pass."""
        return forward * images

    def suits(self, method: MethodOptions) -> bool:
        """Whether the protocol has a meaning for the method."""
        return method.text or not self.needs_text
