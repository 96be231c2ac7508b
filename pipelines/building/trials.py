"""The images that trials of tuning learn from."""

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.reader import ShardSet
from pipelines.sources.strata import stratified_share
from pipelines.spec.tuning import Search


def rows_of_trials(search: Search, shards: ShardSet) -> NDArray[np.int64]:
    """(n,) sorted positions in train that every trial learns from: a share of each class, nothing that is held out."""
    rows = shards.pretraining
    if search.data_share == 1:
        return rows
    return rows[stratified_share(shards.table("train").label[rows], search.data_share, search.seed, "trials")]
