"""What a trial of tuning is judged by: a protocol on the held-out slice, and the images that a trial learns from."""

import importlib

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.encoders.base import Encoder
from pipelines.evaluation.features import Features, pooled_features
from pipelines.evaluation.labelled import evaluation_seed
from pipelines.evaluation.measured import Measured
from pipelines.sources.reader import ShardSet
from pipelines.sources.strata import stratified_share
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.tuning import Judged, Search


def rows_of_trials(search: Search, shards: ShardSet) -> NDArray[np.int64]:
    """(n,) sorted positions in train that every trial learns from: a share of each class, nothing that is held out."""
    rows = shards.pretraining
    if search.data_share == 1:
        return rows
    return rows[stratified_share(shards.table("train").label[rows], search.data_share, search.seed, "trials")]


def held_out_features(encoder: Encoder, spec: PretrainSpec, shards: ShardSet, device: torch.device) -> Features:
    """Labelled rows of train alone: the held-out slice in the place of test, the rest to learn from.

    A protocol that chooses settings needs a slice for that: a second one, as large and stratified, from the rest.
    """
    label = shards.table("train").label
    rows = np.flatnonzero(label >= 0)
    gib, workers = spec.training.resident_gib, spec.training.workers
    data = loader(shards, "train", in_order(), device, subset=rows, gib=gib, workers=workers)
    found = pooled_features(encoder, plain_views(data, Wanted.of(shards, spec.views), device), device)
    labels, held = torch.as_tensor(label[rows]), torch.as_tensor(np.isin(rows, shards.holdout))
    rest = labels[~held]
    share = min(0.5, int(held.sum()) / max(1, len(rest)))
    return Features(
        train=found[~held],
        train_label=rest,
        holdout=torch.from_numpy(stratified_share(rest.numpy(), share, 0, "objective")),
        test=found[held],
        test_label=labels[held],
        num_classes=len(shards.class_names),
    )


def judged(objective: Judged, encoder: Encoder, spec: PretrainSpec, shards: ShardSet, device: torch.device) -> float:
    """The objective's accuracy as a fraction. InputError where the slice is too small for the protocol."""
    features = held_out_features(encoder, spec, shards, device).to(device)
    draw = torch.Generator(device).manual_seed(evaluation_seed(spec.seed))
    protocol = importlib.import_module(f"pipelines.evaluation.{objective.by.use}")
    found: Measured = protocol.measure(objective.by, features, draw)
    return found.test[objective.name]
