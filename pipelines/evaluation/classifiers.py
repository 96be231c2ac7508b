"""Classifiers that learn from a few rows: logistic regression, and the nearest class mean."""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from pipelines.evaluation.scaling import Scaling


def nearest_mean(means: Tensor, query: Tensor) -> Tensor:
    """(..., M) int64: which of means (..., C, F) is nearest, by Euclidean distance, to each of query (..., M, F)."""
    return torch.cdist(query, means).argmin(-1)


def logistic(rows: Tensor, label: Tensor, query: Tensor, strength: float) -> Tensor:
    """(M,) int64: classes of query (M, F) by regression on rows (n, F) with label (n,), at least two classes.

    Minimises the summed cross entropy + strength / 2 x the squared weights (not the biases), of rows shifted to mean 0 and
    scaled by one number to mean squared length 1; scikit-learn's L-BFGS, at most 1000 iterations.
    """

    scaling = Scaling.of(rows, standardise=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1000 iterations are the protocol's limit
        model = LogisticRegression(C=1 / strength, max_iter=1000)
        model.fit(scaling(rows).double().cpu().numpy(), label.cpu().numpy())
    return torch.as_tensor(model.predict(scaling(query).double().cpu().numpy()), device=query.device)
