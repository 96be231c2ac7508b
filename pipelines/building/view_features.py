"""Features of several views of a training image, and what they tell of an encoder without any label."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipelines.building.features import EvaluatedEncoder
from pipelines.building.images import in_order, loader
from pipelines.building.subject import Subject
from pipelines.evaluation.checks import check_finite
from pipelines.evaluation.diagnostics import MOST_ROWS, diagnose_views
from pipelines.randomness import generator
from pipelines.sources.reader import ShardSet
from pipelines.spec.jobs import Untrained
from pipelines.spec.views import Augmentation, Views


def diagnosed_views(subject: Subject, views: int, device: torch.device) -> dict[str, Any]:
    """alignment and lidar over so many views (at least 2) of at most ``MOST_ROWS`` training images, evenly spaced, their
    number and whose views they are. InputError where a feature is not finite.
    """
    spec, source = subject.spec, subject.source()
    own = subject.trained is not None or (isinstance(spec.source, Untrained) and spec.source.views is not None)
    recipe = first_kind(source.wanted.recipe, views) if own else crops_and_flips(source.wanted.recipe, views)
    rows = view_features(source, recipe, subject.shards, spec.seed, device)
    check_finite(spec.evaluation.use, "the views", rows)
    told = {"views": views, "views_by": "pretraining" if own else "crops and flips"}
    return {**told, **diagnose_views(rows)}


def first_kind(recipe: Views, views: int) -> Views:
    """So many views of a recipe's first kind: of several crop sizes the full one, of split colours the first."""
    return Views(augmentations=(recipe.kinds[0].model_copy(update={"count": views}),))


def crops_and_flips(recipe: Views, views: int) -> Views:
    """So many views as the linear probe on augmented images has them, in the colours and size of the recipe's first."""
    first = recipe.kinds[0]
    kind = Augmentation(
        count=views, size=first.size, scale=(0.08, 1.0), jitter_prob=0.0, grayscale=0.0, blur=0.0, colour=first.colour
    )
    return Views(augmentations=(kind,))


def view_features(source: EvaluatedEncoder, recipe: Views, shards: ShardSet, seed: int, device: torch.device) -> Tensor:
    """(n, V, F) float32 on the CPU: of at most ``MOST_ROWS`` training images, every view of the recipe."""
    count = len(shards.table("train").label)
    rows = np.arange(0, count, max(1, math.ceil(count / MOST_ROWS)))
    make, draws = source.wanted.maker_of(recipe), generator(seed, "views of features", device=device)
    data = loader(shards, "train", in_order(), device, subset=rows)
    found = [torch.stack(list(source.parts(iter(make(batch, draws)), device)), dim=1) for batch in data.epoch(0)]
    shards.check_unchanged("train")
    return torch.cat(found)
