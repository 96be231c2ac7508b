"""Weighted k nearest neighbours on frozen features (Wu et al. 2018, arXiv:1805.01978, section 3.4).

Each of the k training rows most similar to a test row (cosine s) votes for its class with weight exp(s / temperature).
Several k share one search: the neighbours of the largest, cut short for the others.

With ``leave_one_out`` every image of train and test is asked about, and all the others vote.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.evaluation.accuracy import accuracies, hits, predicted, share_of_votes
from pipelines.evaluation.checks import check_features
from pipelines.evaluation.features import Features
from pipelines.evaluation.measured import Measured
from pipelines.spec.evaluation.knn import Options as Knn

ELEMENTS = 2**24
"""Similarities held at once: 64 MiB in float32."""
BANK = 2**26
"""Elements of train normalised at once: 256 MiB in float32."""


def neighbours(train: Tensor, query: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(M, k) cosines of each query row with the k rows of train nearest to it, nearest first, and (M, k) their positions.

    train (n, F) and query (M, F) of any length (they are normalised here), k at most n. Train is taken in blocks and the
    queries in chunks, so that a bank of any size needs no more memory beside itself than ``BANK`` and ``ELEMENTS`` say, and
    the result twice: measured at F = 2048 and k = 200, 0.6 GiB for 1,000 queries, whether the bank has 200,000 rows (1.5
    GiB) or 400,000, and 0.8 GiB for 50,000 queries. Nothing of it grows with the bank.
    """
    assert 1 <= k <= len(train)
    similarity, place = (
        query.new_empty(len(query), 0),
        torch.empty(len(query), 0, dtype=torch.int64, device=query.device),
    )
    length, start = max(1, BANK // train.shape[1]), 0
    for rows in train.split(length):
        block, here = F.normalize(rows, dim=1).T, min(k, len(rows))
        found = [(F.normalize(part, dim=1) @ block).topk(here) for part in query.split(max(1, ELEMENTS // len(rows)))]
        similarity = torch.cat([similarity, torch.cat([part.values for part in found])], dim=1)
        place = torch.cat([place, start + torch.cat([part.indices for part in found])], dim=1)
        if similarity.shape[1] > k:
            similarity, best = similarity.topk(k)
            place = place.gather(1, best)
        start += len(rows)
    return similarity, place


def others(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(n, k) cosines of each row with the k nearest of the others, nearest first, and (n, k) their positions; k below n."""
    similarity, place = neighbours(rows, rows, k + 1)
    itself = place == torch.arange(len(rows), device=rows.device).unsqueeze(1)
    itself[~itself.any(1), -1] = True  # among more than k equal rows it is not always in the list
    return similarity[~itself].view(-1, k), place[~itself].view(-1, k)


def tally(similarity: Tensor, label: Tensor, num_classes: int, temperature: float) -> Tensor:
    """(M, num_classes): the votes of neighbours (M, k) with these cosines and labels (int64)."""
    votes = similarity.new_zeros(len(similarity), num_classes)
    return votes.scatter_add_(1, label, (similarity / temperature).exp())


def votes(train: Tensor, label: Tensor, query: Tensor, num_classes: int, k: int, temperature: float) -> Tensor:
    """(M, num_classes): the votes for each query row, in the type of the rows; see ``neighbours``. label (n,) int64."""
    similarity, place = neighbours(train, query, k)
    return tally(similarity, label[place], num_classes, temperature)


def check(options: Knn, features: Features) -> None:
    """InputError unless there are k rows to vote, of two classes at least, and all is finite."""
    check_features(options, features)


def measure(options: Knn, features: Features, generator: torch.Generator | None = None) -> Measured:
    """top1, top5 and mean_per_class on test, all rows of train voting. Nothing is drawn: ``generator`` is not used.

    Of several k those of the first, and beside them every one's by its name: top1_k5, top1_k20. With ``leave_one_out``
    leave_one_out (top1 over all images) and leave_one_out_mean_per_class instead, and answers: leave_one_out (n + m,), 1 for
    every row that was named rightly (of several k also leave_one_out_k5), and label (n + m,). InputError: see ``check``.
    """
    check(options, features)
    if options.leave_one_out:
        return _leave_one_out(options, features)
    f = features
    similarity, place = neighbours(f.train, f.test, max(options.all_k))
    found = _by_k(options, similarity, f.train_label[place], f.num_classes)
    first = found[options.all_k[0]]
    return Measured(_numbers(found, f.test_label), predicted=predicted(first), score=share_of_votes(first))


def _leave_one_out(options: Knn, f: Features) -> Measured:
    """No predictions: those kept beside a record are of test alone."""
    label = torch.cat([f.train_label, f.test_label])
    similarity, place = others(torch.cat([f.train, f.test]), max(options.all_k))
    found = _by_k(options, similarity, label[place], f.num_classes)
    named = {name: value for name, value in _numbers(found, label).items() if "top5" not in name}
    answers = {f"leave_one_out_k{k}": hits(scores, label) for k, scores in found.items() if len(found) > 1}
    answers |= {"leave_one_out": hits(found[options.all_k[0]], label), "label": label.cpu().numpy().astype(np.uint32)}
    return Measured({_left_out(name): value for name, value in named.items()}, answers=answers)


def _left_out(name: str) -> str:
    return name.replace("top1", "leave_one_out").replace("mean", "leave_one_out_mean")


def _by_k(options: Knn, similarity: Tensor, label: Tensor, num_classes: int) -> dict[int, Tensor]:
    """The votes (M, C) of the first k of neighbours (M, most), for every k."""
    return {k: tally(similarity[:, :k], label[:, :k], num_classes, options.temperature) for k in options.all_k}


def _numbers(found: dict[int, Tensor], label: Tensor) -> dict[str, float]:
    """The accuracies of the first k, and of several every one's by its name."""
    numbers = accuracies(next(iter(found.values())), label)
    for k, scores in found.items() if len(found) > 1 else ():
        numbers |= {f"{name}_k{k}": value for name, value in accuracies(scores, label).items()}
    return numbers


def accuracy(
    options: Knn, train: Tensor, label: Tensor, query: Tensor, query_label: Tensor, num_classes: int
) -> dict[str, float]:
    """top1, top5 and mean_per_class of query rows, train rows voting; of several k the first, at most n."""
    scores = votes(train, label, query, num_classes, options.all_k[0], options.temperature)
    return accuracies(scores, query_label)
