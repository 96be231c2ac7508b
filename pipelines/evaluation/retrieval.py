"""Retrieval: how often an image's caption, or a caption's image, is among the k nearest candidates of test.

Recall@k as Karpathy and Fei-Fei (2015, arXiv:1412.2306) and CLIP (Radford et al. 2021, arXiv:2103.00020,
table 13) have it: an image is found right when any of its captions is among its k nearest; every caption asks for itself.
Candidates are all captions, or all images, of the test split, so that numbers of splits of different sizes do not compare.

Differs: what is as near as the right candidate counts as nearer. A collapsed encoder finds nothing, and of two images
with the same caption neither is found at 1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.evaluation.checks import check_finite
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.retrieval import Options as Retrieval

ELEMENTS = 2**24
"""Similarities held at once: 64 MiB in float32."""


@dataclass(frozen=True)
class ImagesAndCaptions:
    """What a method makes of test images and of their captions, in their common space.

    image   (m, D) unit rows
    text    (t, D) unit rows
    owner   (t,) int64 in 0 .. m - 1: the image of each caption; every image has one at least
    """

    image: Tensor
    text: Tensor
    owner: Tensor


def strangers_nearer(query: Tensor, candidate: Tensor, asks: Tensor, owner: Tensor) -> Tensor:
    """(q,) int64: how many candidates of others are at least as near to a query as the nearest of its own.

    query (q, D), candidate (c, D), by dot product; asks (q,) and owner (c,) int64: what belongs together is equal. Every
    query has a candidate. Queries go in chunks, so that ``ELEMENTS`` similarities are held at once, or a row of them.
    """
    found = []
    size = max(1, ELEMENTS // len(candidate))
    for rows, number in zip(query.split(size), asks.split(size)):
        near, own = rows @ candidate.T, number.unsqueeze(1) == owner
        best = near.masked_fill(~own, -torch.inf).amax(1, keepdim=True)
        found.append(((near >= best) & ~own).sum(1))
    return torch.cat(found)


def check(options: Retrieval, pairs: ImagesAndCaptions) -> None:
    """InputError unless all is finite."""
    check_finite("retrieval", "test", pairs.image)
    check_finite("retrieval", "the captions", pairs.text)


def measure(options: Retrieval, pairs: ImagesAndCaptions) -> Measured:
    """image_to_text_recall_K and text_to_image_recall_K for every K of ``at``, fractions of images and of captions.

    answers: image_to_text (m,) and text_to_image (t,), how many strangers are at least as near as the nearest of its own (0:
    found at 1), and owner (t,), the image of each caption. Nothing is drawn or chosen. InputError: see ``check``.
    """
    check(options, pairs)
    image = torch.arange(len(pairs.image), device=pairs.owner.device)
    nearer = {
        "image_to_text": strangers_nearer(pairs.image, pairs.text, image, pairs.owner),
        "text_to_image": strangers_nearer(pairs.text, pairs.image, pairs.owner, image),
    }
    test = {f"{way}_recall_{k}": (found < k).double().mean() for way, found in nearer.items() for k in options.at}
    answers = {**nearer, "owner": pairs.owner}
    return Measured(
        test={name: value.item() for name, value in test.items()},
        answers={name: value.cpu().numpy().astype(np.uint32) for name, value in answers.items()},
    )
