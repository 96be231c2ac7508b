"""What the options of every evaluation protocol have in common."""

from typing import ClassVar

from pipelines.spec.base import Model
from pipelines.spec.datasets.base import Targets
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

    @property
    def numbers(self) -> tuple[str, ...]:
        """What it says of test that tables show, the headline first."""
        return ("top1",)

    @property
    def accuracies(self) -> tuple[str, ...]:
        """Every number that could be an objective: fractions, higher is better."""
        return (*self.numbers, "mean_per_class", "top5") if "top1" in self.numbers else self.numbers

    def suits(self, method: MethodOptions) -> bool:
        """Whether the protocol has a meaning for the method."""
        return method.text or not self.needs_text
