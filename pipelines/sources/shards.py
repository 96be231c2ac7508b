"""A data set to WebDataset tars and an index: byte-identical for the same input, and resumed where a run was killed.

Both splits are shuffled once with a fixed seed, so that any shard is a fair sample of its split.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DamagedFile, InputError
from pipelines.files import digest
from pipelines.randomness import numpy_generator
from pipelines.sources.base import SPLITS, Source, Split, SplitName
from pipelines.sources.checked import remember
from pipelines.sources.images import Decoding
from pipelines.sources.index import FILE, VERSION, Index, load_index, same_spec, save_index
from pipelines.sources.indexing import index_of
from pipelines.sources.locking import locked_folder
from pipelines.sources.packing import CONTENT, How, Note, PackingPlan, finished, pack
from pipelines.sources.reader import open_shards
from pipelines.sources.strata import equal_per_class, stratified_share
from pipelines.sources.wids import save_wids
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.layout import LISTING, NOTES

SEED = 0
"""Of the order, the limit and the held-out slice. Fixed: the shards of a data set do not depend on a run's seed."""


def build_shards(source: Source, dataset: DataSet, out: Path, workers: int = 1) -> Index:
    """Pack ``source`` into ``out``, index.json last. Shards that an earlier run finished are verified and kept.

    workers: processes that pack shards. InputError when ``out`` holds shards of other options, when too many images are
    unreadable, or when images differ in size and ``image_size`` is not given.
    """
    out.mkdir(parents=True, exist_ok=True)
    spec = dataset.model_dump(mode="json")
    with locked_folder(out):
        if (done := complete(out, dataset)) is not None:
            save_wids(out, done)
            return done
        _claim(out)
        for killed in [*out.glob(".*.part"), *(out / NOTES).glob(".*.part")]:
            killed.unlink()
        splits, held_out = _select(source, dataset)
        may_fail = int(dataset.max_unreadable * sum(len(split) for split in splits.values()))
        listed = source.inventory.digest
        plans = [plan for name in SPLITS for plan in _plans(name, splits[name], held_out, dataset, listed)]
        notes = _pack_all(out, plans, splits, (How(dataset.image_size, Decoding.of(spec)), may_fail), workers)
        index = index_of(source, dataset, plans, notes, may_fail)
        source.inventory.write(out / LISTING)
        save_wids(out, index)
        save_index(out, index)
        remember(out, {shard.name: shard.sha256 for shards in index.splits.values() for shard in shards})
        for tar in {path.name for path in out.glob("*.tar")} - {plan.name for plan in plans}:
            (out / tar).unlink()  # of an earlier attempt with other options
    return index


def complete(out: Path, dataset: DataSet) -> Index | None:
    """The index of shards that are already there and whole; None where they have to be made or mended.

    InputError when they were made with other options.
    """
    if not (out / FILE).is_file():
        return None
    try:
        index = load_index(out)
    except DamagedFile:
        return None
    if not same_spec(index, dataset.model_dump(mode="json")):
        raise InputError(
            f"{out}: holds shards of {index.dataset} with other options; delete its {FILE} to pack these here, or give "
            "another folder"
        )
    try:
        shards = open_shards(out)
        for name in SPLITS:
            shards.rehash(name)
    except InputError:
        return None
    return index


def _claim(out: Path) -> None:
    """Mark the folder as ours, so that nobody's own tars are ever overwritten."""
    if not (out / NOTES).is_dir() and (foreign := sorted(out.glob("*.tar"))):
        raise InputError(
            f"{foreign[0]}: the folder holds a tar that is not of this stage; give the shards a folder of their own"
        )
    (out / NOTES).mkdir(exist_ok=True)


def _select(source: Source, dataset: DataSet) -> tuple[dict[SplitName, Split], frozenset[int]]:
    """Both splits limited and shuffled, and the rows of train that are held out."""
    splits: dict[SplitName, Split] = {}
    order: dict[SplitName, NDArray[np.int64]] = {}
    for name in SPLITS:
        split = source.split(name)
        if not len(split):
            raise InputError(f"{dataset.short_name}: the {name} split has no images")
        rows = _limited(source, dataset) if name == "train" else np.arange(len(split))
        order[name] = numpy_generator(SEED, "shards", name).permutation(rows)
        splits[name] = split.take(order[name])
    if source.held is not None:
        return splits, frozenset(row for row, old in enumerate(order["train"].tolist()) if old in source.held)
    labels = splits["train"].labels
    held_out = stratified_share(labels, dataset.held_share(len(labels)), SEED, "holdout")
    return splits, frozenset(held_out.tolist())


def _limited(source: Source, dataset: DataSet) -> NDArray[np.int64]:
    """Rows of train: all, or ``limit`` of them and those that the source itself holds out."""
    held = np.array(sorted(source.held or ()), np.int64)
    free = np.setdiff1d(np.arange(len(source.train)), held)
    if dataset.limit is None:
        return np.arange(len(source.train))
    return np.union1d(free[equal_per_class(source.train.labels[free], dataset.limit, SEED, "limit")], held)


def _plans(name: SplitName, split: Split, held_out: frozenset[int], dataset: DataSet, listed: str) -> list[PackingPlan]:
    plans, spec, most = [], dataset.model_dump(mode="json"), dataset.per_shard
    for number, first in enumerate(range(0, len(split), most)):
        rows = tuple(range(first, min(first + most, len(split))))
        held = frozenset(held_out.intersection(rows)) if name == "train" else frozenset()
        samples = [[split.ids[row], int(split.labels[row])] for row in rows]
        content = [VERSION, CONTENT, name, spec, samples, sorted(held), listed]
        plans.append(PackingPlan(f"{name}-{number:06d}.tar", name, first, rows, held, digest(content, 16)))
    return plans


def _pack_all(
    out: Path, plans: list[PackingPlan], splits: Mapping[SplitName, Split], limits: tuple[How, int], workers: int
) -> list[Note]:
    """One note a plan. Helpers only leave files; what one could not do fails here again, with its own error."""
    parent = os.getpid()

    def share(first: int) -> None:
        for plan in plans[first::workers]:
            if os.getppid() == parent and finished(out, plan) is None:
                with contextlib.suppress(InputError):
                    pack(out, plan, splits[plan.split], *limits)  # type: ignore[index]

    if workers > 1 and len(plans) > 1 and "fork" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("fork")  # the source, with its arrays, is not copied
        helpers = [context.Process(target=share, args=(first,)) for first in range(min(workers, len(plans)))]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join()
    return [finished(out, plan) or pack(out, plan, splits[plan.split], *limits) for plan in plans]  # type: ignore[index]
