"""The index of a folder of shards, from the notes of its shards."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.listing.kinds import MOST_EXAMPLES
from pipelines.sources.base import SPLITS, Source, SplitName
from pipelines.sources.equal import equal_images
from pipelines.sources.index import Index, Shard
from pipelines.sources.packing import Found, Note, PackingPlan, too_many
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.images_told import CHANGED


def index_of(source: Source, dataset: DataSet, plans: list[PackingPlan], notes: list[Note], may_fail: int) -> Index:
    """What the notes say together; InputError for too many unreadable images, and for sizes that differ."""
    unreadable = [item for note in notes for item in note.found.unreadable]
    if len(unreadable) > may_fail:
        raise too_many(unreadable, may_fail)
    by_split = {name: [note.found for plan, note in zip(plans, notes) if plan.split == name] for name in SPLITS}
    shards: dict[str, tuple[Shard, ...]] = {
        name: tuple(note.shard for plan, note in zip(plans, notes) if plan.split == name) for name in SPLITS
    }
    total = sum(shard.count for shards_of in shards.values() for shard in shards_of)
    counts = _class_counts(source, by_split)
    _check_emptied(source, counts, {item["id"] for item in unreadable})
    side, uniform = _side(dataset, notes)
    mean, std = _moments(notes)
    names = sorted({name for note in notes for name in note.found.fields})
    channels = {name: max(note.found.fields.get(name, 1) for note in notes) for name in names}
    stated = getattr(dataset, "channels", None)
    return Index(
        dataset=dataset.short_name,
        spec=dataset.model_dump(mode="json"),
        classes=source.classes,
        image_size=side,
        uniform=uniform,
        channels=stated or (1 if sum(note.found.grey for note in notes) == total else 3),
        splits=shards,
        holdout=_holdout(plans, notes),
        mean=mean,
        std=std,
        fields={name.partition(".")[0]: name for name in names},
        field_channels={name.partition(".")[0]: channels[name] for name in names},
        captions=sum(note.found.captions for note in notes) == total > 0,
        unreadable=tuple(unreadable),
        skipped=source.skipped,
        layout=source.layout,
        sizes=_sizes(notes),
        extreme=_extreme(notes),
        values=_values(notes),
        changed={what: sum(note.found.changed.get(what, 0) for note in notes) for what in CHANGED},
        class_counts=counts,
        equal=equal_images(*([item for each in found for item in each.hashes] for found in by_split.values())),
    )


def _check_emptied(source: Source, counts: Mapping[str, list[int]], lost: set[str]) -> None:
    """InputError for a class of which every image is unreadable: the others would be another data set."""
    empty = {number for number, both in enumerate(zip(counts["train"], counts["test"])) if not any(both)}
    for split in (source.train, source.test) if empty and lost else ():
        for name, label in zip(split.ids, split.labels.tolist()):
            if label in empty and name in lost:
                raise InputError(
                    f"class {source.classes[label]}: none of its images can be read, {name} among them; mend them, or leave "
                    "the class out, by dataset.classes or from the files"
                )


def _class_counts(source: Source, by_split: Mapping[SplitName, list[Found]]) -> dict[str, list[int]]:
    """Of train, of test, and of the held-out images of train."""
    every = {str(name): [each.labels for each in found] for name, found in by_split.items()}
    every["holdout"] = [each.held_labels for each in by_split["train"]]
    return {
        name: [sum(each.get(str(label), 0) for each in counts) for label in range(len(source.classes))]
        for name, counts in every.items()
    }


def _moments(notes: list[Note]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in [0, 1]."""
    pixels = max(1, sum(note.found.pixels for note in notes))
    mean = np.array([sum(sums) for sums in zip(*(note.found.sums for note in notes))]) / pixels
    square = np.array([sum(squares) for squares in zip(*(note.found.squares for note in notes))]) / pixels
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def _values(notes: list[Note]) -> dict[str, list[int]]:
    """The lowest and the highest stored value of each channel."""
    found = [note.found for note in notes if note.found.lowest]
    if not found:
        return {}
    lowest, highest = zip(*(each.lowest for each in found)), zip(*(each.highest for each in found))
    return {"lowest": [min(each) for each in lowest], "highest": [max(each) for each in highest]}


def _holdout(plans: list[PackingPlan], notes: list[Note]) -> tuple[int, ...]:
    """Positions among the samples that were kept."""
    positions, first = [], 0
    for plan, note in zip(plans, notes):
        if plan.split == "train":
            positions += [first + position for position in note.found.holdout]
            first += note.shard.count
    return tuple(positions)


def _sizes(notes: list[Note]) -> dict[str, int]:
    found = {tuple(map(int, size.split("x"))) for note in notes for size in note.found.sizes}
    if not found:
        return {}
    width, height = zip(*found, strict=True)
    return {
        "least_width": min(width), "most_width": max(width), "least_height": min(height), "most_height": max(height),
        "different": len(found),
    }  # fmt: skip


def _extreme(notes: list[Note]) -> dict[str, Any]:
    found = sorted(name for note in notes for name in note.found.extreme)
    return {"count": len(found), "examples": found[:MOST_EXAMPLES]} if found else {}


def _side(dataset: DataSet, notes: list[Note]) -> tuple[int, bool]:
    sizes = {size: name for note in notes for size, name in note.found.sizes.items()}
    sides = [tuple(int(length) for length in size.split("x")) for size in sizes]
    agree = len(sides) == 1 and sides[0][0] == sides[0][1]
    if dataset.image_size is not None:
        return dataset.image_size, agree and sides[0][0] == dataset.image_size
    if not agree:
        found = ", ".join(f"{size} ({name})" for size, name in sorted(sizes.items())[:3]) or "none"
        raise InputError(f"{dataset.short_name}: image sizes are {found}; set dataset.image_size to a side in pixels")
    return sides[0][0], True
