"""Options of CLIP."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.errors import InputError
from pipelines.spec.base import Count, Positive
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.templates import Templates
from pipelines.spec.views import Augmentation, Views
from pipelines.spec.vocabulary import Vocabulary, read


def _is_none(value: Any) -> bool:
    """Left out of what is written: the keys of jobs are those from before there was this option."""
    return value is None


class Options(MethodOptions):
    """CLIP (Radford et al. 2021, arXiv:2103.00020). Any encoder; the texts are the data set's captions.

    A data set without captions gets them from its class names. Known weakness of that: every other image of the same class
    in a batch is then a false negative, and the text teaches nothing that a label does not; see ``duplicates``.
    """

    text: ClassVar[bool] = True
    use: Literal["clip"] = "clip"
    dim: Count = 512
    """Size of the common space of images and texts."""
    temperature: Positive = Field(default=0.07, ge=0.01, le=1)
    """At the start; learnt, and kept within [0.01, 1]."""
    duplicates: Literal["ignore", "multi_positive"] = "ignore"
    """ignore (the paper): only an image's own caption is right, equal ones of other images are false negatives; their
    share is logged. multi_positive (UniCL): every caption of the batch that is equal, or made for the same class, is."""
    templates: Templates = ("a photo of a {}.", "a picture of a {}.", "an image of a {}.", "a {}.")
    """Captions made from class names, where the data set has none: one drawn for each image and step. The first is the
    paper's. Zero-shot classes are described by all of them unless the evaluation names others."""
    context: int = Field(default=128, ge=8)
    """Most tokens (bytes or merges, and two marks) of a caption; longer ones are cut. The paper has 76 merged ones."""
    merges: Count | None = Field(default=None, exclude_if=_is_none)
    """Tokens beside the bytes, merged from them as byte-pair encoding learns it from the texts trained on; none: bytes alone.
    The paper's vocabulary, learnt from other texts, has 48,894."""
    vocabulary: Vocabulary | None = Field(default=None, exclude_if=_is_none)
    """A file of merges learnt elsewhere, in place of those of the texts trained on; with ``merges`` the first so many of it.
    CLIP's own file with context 77 gives the paper's text tower its tokens."""
    text_width: Count = 512
    text_layers: Count = 12
    text_heads: Count = 8

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.text_width % self.text_heads:
            near = max(1, self.text_width // self.text_heads) * self.text_heads
            raise ValueError(
                f"text_width {self.text_width} must be a multiple of text_heads ({self.text_heads}); {near} would do"
            )
        return self

    def known(self) -> Self:
        if self.vocabulary is None:
            return self
        found = self.vocabulary.known()
        if self.merges and isinstance(given := read(Path(found.path)), dict):
            raise InputError(
                f"merges: {found.path} says by itself that there are {len(given['model']['vocab'])} tokens; leave merges out"
            )
        return self.model_copy(update={"vocabulary": found})

    def default_views(self, image_size: int | None) -> Views:
        """One view: a bicubic crop of nearly the whole image, nothing else (open_clip; the paper: a square crop)."""
        return Views(
            augmentations=(
                Augmentation(
                    scale=(0.9, 1.0), interpolation="bicubic", flip=0.0, jitter_prob=0.0, grayscale=0.0, blur=0.0
                ),
            )
        )

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """The image passes its encoder, its caption the text tower, counted at its full length."""
        text = self.text_layers * (12 * self.text_width**2 * self.context + 2 * self.context**2 * self.text_width) / 1e9
        return Passes(views_gflops(encoder, views, side) + text)

    def default_training(self) -> dict[str, Any]:
        """AdamW at 5e-4 whatever the batch, decay 0.2 not on norms, biases and temperature, ViT's betas (appendix F).

        The paper warms up over 2,000 steps, here over 1 epoch.
        """
        return {
            "optimizer": "adamw",
            "betas": (0.9, 0.98),
            "lr_per_256": 5e-4,
            "lr_scaling": "none",
            "weight_decay": 0.2,
            "decay_norm_and_bias": False,
            "warmup_epochs": 1.0,
        }
