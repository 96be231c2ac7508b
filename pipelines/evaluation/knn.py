"""Weighted k nearest neighbours on frozen features (Wu et al. 2018, arXiv:1805.01978, section 3.4).

Each of the k training rows most similar to a test row (cosine s) votes for its class with weight exp(s / temperature).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.errors import InputError
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.features import Features
from pipelines.spec.evaluation.knn import Options as Knn

ELEMENTS = 2**24
"""Similarities held at once: 64 MiB in float32."""


def votes(train: Tensor, label: Tensor, query: Tensor, num_classes: int, k: int, temperature: float) -> Tensor:
    """(M, num_classes): the votes for each query row, in the type of the rows.

    train (n, F) and query (M, F) of any length (they are normalised here), label (n,) int64. k at most n.
    """
    assert 1 <= k <= len(train)
    train, query = F.normalize(train, dim=1), F.normalize(query, dim=1)
    out, chunk = query.new_zeros(len(query), num_classes), max(1, ELEMENTS // len(train))
    for rows, total in zip(query.split(chunk), out.split(chunk)):
        similarity, place = (rows @ train.T).topk(k, dim=1, sorted=False)  # (chunk, k)
        total.scatter_add_(1, label[place], (similarity / temperature).exp())
    return out


def measure(options: Knn, features: Features, generator: torch.Generator | None = None) -> dict[str, float]:
    """top1, top5 and mean_per_class on test, all rows of train voting. Nothing is drawn: ``generator`` is not used."""
    f = features
    return accuracy(options, f.train, f.train_label, f.test, f.test_label, f.num_classes)


def accuracy(
    options: Knn, train: Tensor, label: Tensor, query: Tensor, query_label: Tensor, num_classes: int
) -> dict[str, float]:
    """top1, top5 and mean_per_class of query rows, train rows voting. InputError when there are fewer than k of those."""
    if options.k > len(train):
        raise InputError(
            f"evaluation.knn.k: {options.k} neighbours asked for, but only {len(train)} rows vote; lower k"
        )
    scores = votes(train, label, query, num_classes, options.k, options.temperature)
    return accuracies(scores, query_label)
