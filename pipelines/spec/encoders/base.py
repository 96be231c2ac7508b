"""What the options of every encoder have in common."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pipelines.spec.base import Model

Shape = tuple[int | None, ...]
"""Of a weight; None: any number."""
Telling = Mapping[str, Shape | None]
"""Name of a weight -> its shape; None: a network of this form has no such weight."""


class EncoderOptions(Model):
    """Options of one backbone. A subclass narrows ``use`` to ``Literal[NAME] = NAME`` and adds fields."""

    use: str = ""
    """The backbone's name: its file here and in encoders/."""

    in_blocks: ClassVar[bool] = False
    """Whether it is made of blocks that can run again in the backward pass."""

    @property
    def short_name(self) -> str:
        """A readable name for keys and tables, e.g. resnet18w16."""
        return str(self.use)

    def fitted(self, side: int | None) -> Self:
        """The options for images of ``side`` pixels, none: unknown; what was left to the image size is chosen."""
        return self

    def telling(self) -> Telling:
        """A few weights by which a file is seen to be of another depth, width or kind; empty: only the built network tells."""
        return {}

    @property
    def feature_width(self) -> int | None:
        """Numbers in a feature; none: only the built network tells."""
        return None

    def forward_gflops(self, image_size: int) -> float:
        """Multiply-adds in billions of one forward pass of one image of ``image_size`` pixels a side."""
        raise TypeError(f"encoder {self.use} does not say what a forward pass costs; give its Options forward_gflops")
