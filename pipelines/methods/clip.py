"""CLIP: images and captions find each other within the batch (Radford et al. 2021, arXiv:2103.00020, figure 3).

Captions are the batch's; where a data set has none they are made from class names by templates, one drawn for each
image. That is labels in other words: an image's negatives then hold its own class many times over (false negatives, see
Options.duplicates), and the text tower meets a few dozen sentences only. Numbers from it say little about CLIP on captions.

Differs from the paper: the image encoder is the study's (no attention pooling, no LayerNorm before a ViT's blocks); texts
are bytes, or tokens merged as the texts trained on suggest or a file says; Adam's eps is 1e-8 throughout; text positions
decay as matrices do. Equal captions of a batch are computed once, and of made ones all at most.
"""

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.text import TextTransformer
from pipelines.encoders.tokeniser import ByteTokeniser, learnt_merges
from pipelines.encoders.vocabulary import FileTokeniser, from_file
from pipelines.errors import InputError
from pipelines.losses.clip import clamped_log_scale, image_text_contrast, multi_positive_contrast
from pipelines.losses.pairs import but_own
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.clip import Options
from pipelines.spec.templates import captions as made_of

TEXTS = 1024
"""Texts that go through the tower at once where no gradient is wanted."""


class CLIP(Method):
    """encoder and text tower, a linear projection of each into the common space, and the logarithm of the scale.

    names: the classes' names, for captions of data sets that have none. captions: those that merges are learnt from; none:
    the made ones. The merges are part of the weights, so that a loaded method reads texts as the trained one did. tokeniser:
    that of a vocabulary from a file, in place of those merges.
    """

    row_networks = ("text",)
    merges: Tensor
    sentences: Tensor

    def __init__(
        self,
        options: Options,
        encoder: Encoder,
        text: TextTransformer,
        names: tuple[str, ...] = (),
        captions: tuple[str, ...] = (),
        tokeniser: FileTokeniser | None = None,
    ) -> None:
        super().__init__()
        self.options, self.encoder, self.text = options, encoder, text
        self.image_projection = nn.Linear(encoder.width, options.dim, bias=False)
        self.text_projection = nn.Linear(text.width, options.dim, bias=False)
        for projection in (self.image_projection, self.text_projection):
            nn.init.normal_(projection.weight, std=projection.in_features**-0.5)
        self.log_scale = nn.Parameter(torch.tensor(1 / options.temperature).log())
        self.tokeniser: ByteTokeniser | FileTokeniser = tokeniser or ByteTokeniser(options.context)
        self.names = names
        if options.merges and tokeniser is None:
            self.register_buffer("merges", self._learnt(options.merges, captions))
            self._read_merges()
            self.register_load_state_dict_post_hook(lambda module, keys: module._read_merges())
        self.describe(names)

    def describe(self, names: tuple[str, ...]) -> None:
        """Name the classes: ``sentences`` (T C, length) are the tokens of all C names in template 0, then in template 1, ..."""
        texts = [text for template in self.options.templates for text in made_of(template, names)]
        self.names = names
        self.register_buffer("sentences", self.tokeniser(texts).to(self.log_scale.device), persistent=False)

    def _learnt(self, count: int, captions: tuple[str, ...]) -> Tensor:
        """(count, 2) int64, -1 behind the last where the texts give no more."""
        texts = captions or [text for template in self.options.templates for text in made_of(template, self.names)]
        found = learnt_merges(texts, count)
        return torch.tensor([*found, *[(-1, -1)] * (count - len(found))])

    def _read_merges(self) -> None:
        pairs = [(int(one), int(other)) for one, other in self.merges.tolist() if one >= 0]
        self.tokeniser = ByteTokeniser(self.options.context, pairs)
        self.describe(self.names)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). Negatives of all processes, gathered with gradient.

        InputError where there is neither a caption nor a label with a name.
        """
        (view,) = views
        image = at_least_float32(self.image_projection(self.encoder(view)))
        if batch.captions is None:
            identity, text = batch.label, self._described(self._drawn(batch, progress))
        else:
            identity, text = _identities(batch.captions, image.device), at_least_float32(self._texts(batch.captions))
        all_images, all_texts = distributed.gather_with_gradient(image), distributed.gather_with_gradient(text)
        same = identity.unsqueeze(1) == distributed.gather(identity)
        first = distributed.rank() * len(image)
        with full_precision(image.device):
            ways = self._contrast(image, all_texts, first, same), self._contrast(text, all_images, first, same)
            return Output((ways[0] + ways[1]) / 2, *self._watch(image, all_texts, first, same))

    @torch.no_grad()
    def after_step(self, progress: Progress) -> None:
        """Keep the scale within [1, 100]."""
        self.log_scale.copy_(clamped_log_scale(self.log_scale))

    def image_embeddings(self, features: Tensor) -> Tensor:
        """The encoder's pooled features (n, width) -> unit rows (n, dim) in the common space."""
        return F.normalize(at_least_float32(self.image_projection(features)), dim=1)

    def class_embeddings(self, names: tuple[str, ...], templates: tuple[str, ...] | None = None) -> Tensor:
        """Unit rows (C, T, dim) of C class names in T templates; templates None: those of the options."""
        chosen = templates or self.options.templates
        return torch.stack([self.text_embeddings(made_of(template, names)) for template in chosen], dim=1)

    def text_embeddings(self, texts: list[str]) -> Tensor:
        """Unit rows (n, dim) of n texts, ``TEXTS`` at once through the tower."""
        parts = [texts[first : first + TEXTS] for first in range(0, len(texts), TEXTS)]
        return torch.cat([F.normalize(at_least_float32(self._texts(part)), dim=1) for part in parts])

    def _contrast(self, queries: Tensor, candidates: Tensor, first: int, same: Tensor) -> Tensor:
        if self.options.duplicates == "multi_positive":
            return multi_positive_contrast(queries, candidates, self.log_scale, same)
        return image_text_contrast(queries, candidates, self.log_scale, first)

    def _texts(self, texts: list[str]) -> Tensor:
        """(N, dim), not normalised; equal texts go through the tower once."""
        different = list(dict.fromkeys(texts))
        place = {text: i for i, text in enumerate(different)}
        device = self.log_scale.device  # from the host without waiting for what the device still has to do
        tokens = self.tokeniser(different).to(device, non_blocking=True)
        rows = torch.tensor([place[text] for text in texts]).to(device, non_blocking=True)
        return self.text_projection(self.text(tokens)).index_select(0, rows)

    def _drawn(self, batch: Batch, progress: Progress) -> Tensor:
        """(N,) int64: for each sample the row of ``sentences`` with its class name in a template drawn for it."""
        if progress.epoch < 1:  # each sample is met then; asking the device later would only hold it up
            self._check_names(batch)
        shape, source = (len(batch),), progress.generator
        drawn = torch.randint(len(self.options.templates), shape, generator=source, device=source.device)
        return drawn * len(self.names) + batch.label

    def _described(self, rows: Tensor) -> Tensor:
        """(N, dim), not normalised, of rows (N,) of ``sentences``; where these are fewer than N, each goes through the tower
        once."""
        few = len(self.sentences) <= len(rows)
        features = self.text_projection(self.text(self.sentences if few else self.sentences[rows]))
        return at_least_float32(features.index_select(0, rows) if few else features)

    def _check_names(self, batch: Batch) -> None:
        if not self.names or bool((batch.label < 0).any()):
            raise InputError(
                "clip: the data set has neither captions nor a label with a name for every image; give its tars txt "
                "members (webdataset) or class folders, or leave this method out"
            )

    @torch.no_grad()
    def _watch(
        self, image: Tensor, all_texts: Tensor, first: int, same: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Curves: the scale, how often an image's nearest caption fits it, and the share of other captions that fit too.

        Watched: embeddings, and cosines of every image with its own caption and with all others.
        """
        image, all_texts = F.normalize(image, dim=1), F.normalize(all_texts, dim=1)
        cosines = image @ all_texts.T
        own = torch.arange(first, first + len(image), device=image.device)
        fits = same.gather(1, cosines.argmax(dim=1, keepdim=True)).to(cosines.dtype).mean()
        repeated = (same.sum() - len(image)) / max(1, same.numel() - len(image))
        watched = {
            "embeddings": image,
            "positive_scores": cosines.gather(1, own.unsqueeze(1)).squeeze(1),
            "negative_scores": cosines.gather(1, but_own(own, cosines.shape[1])),
        }
        return {"scale": self.log_scale.exp(), "image_to_text_top1": fits, "duplicates": repeated}, watched


def _identities(texts: list[str], device: torch.device) -> Tensor:
    """(N,) int64 on a device, equal for equal texts, in every process: 63 bits of their SHA-256."""
    digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
    return torch.tensor([int.from_bytes(digest, "big") >> 1 for digest in digests]).to(device, non_blocking=True)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> CLIP:
    """CLIP over fresh towers."""
    encoder = make_encoder()  # first, so that step 0 is the plain encoder of this seed
    size = (options.text_width, options.text_layers, options.text_heads, options.context)
    chosen = options.vocabulary
    tokeniser = from_file(chosen, options.merges, options.context) if chosen else None
    tokens = tokeniser.beside_bytes if tokeniser else options.merges or 0
    return CLIP(options, encoder, TextTransformer(*size, tokens), facts.class_names, facts.captions, tokeniser)
