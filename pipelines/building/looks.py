"""Pictures of what features see, for the report: nearest neighbours of test images, a map of test, the worst confusions.

The same test images for every encoder of a data set, whatever its seed, so that methods can be compared by eye. They are
made where features are at hand, from what the kNN protocol compares, and need no features afterwards.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from torch import Tensor

from pipelines.building.embedding import Embedding
from pipelines.building.sheets import save_sheet, thumbnails
from pipelines.contact_sheet import Sheet
from pipelines.evaluation.knn import neighbours
from pipelines.files import canonical, sealed, write_text
from pipelines.sources.reader import ShardSet

ASKED, NEIGHBOURS, CELL = 8, 8, 40
MAPPED, MAP_CELL, MAP_COLUMNS, MAP_CLASSES = 256, 28, 16, 10
"""Images of the map, their side in pixels, and how many classes they are of at most: colours for more cannot be told apart."""
EXAMPLES = 8
"""Images shown of a confusion."""
PERPLEXITY = 20.0
Pair = tuple[int, int, float]
"""A class, what it was named, and the share of its images that were."""


def write_looks(out: Path, embedding: Embedding, named: Tensor, worst: Sequence[Pair]) -> dict[str, str]:
    """Write all of them to ``out``; artifact names and files.

    named: (m,) int64, what each labelled test image was called. worst: the confusions to show, the largest first.
    """
    return {
        **_neighbours(out, embedding),
        **_map(out, embedding),
        **_confusions(out, embedding, named.cpu(), worst),
    }


def _neighbours(out: Path, embedding: Embedding) -> dict[str, str]:
    f, shards = embedding.features, embedding.shards
    asked = evenly(np.arange(len(f.test)), ASKED)
    rows = torch.from_numpy(asked).to(f.test.device)
    similarity, place = neighbours(f.train, f.test[rows], min(NEIGHBOURS, len(f.train)))
    found, cosine = place.cpu().numpy(), similarity.cpu().numpy()
    tests, trains = Labelled(shards, "test"), Labelled(shards, "train")
    tips, marked = [], []
    for row, (query, near) in enumerate(zip(asked, found)):
        own = tests.label[query]
        told = [f"{trains.told(each)}, cosine {value:.3f}" for each, value in zip(near, cosine[row])]
        tips.append((tests.told(query), *told))
        marked += [(row, column) for column, each in enumerate(near, start=1) if trains.label[each] != own]
    pictures = zip(tests.pictures(asked, CELL), trains.pictures(found.reshape(-1), CELL).unflatten(0, found.shape))
    right = found.size - len(marked)
    sheet = Sheet(
        alt=f"{len(asked)} test images, a row each, with their {found.shape[1]} nearest training images: {right} of "
        f"{found.size} neighbours are of the image's own class",
        cell=CELL,
        columns=("image", *map(str, range(1, found.shape[1] + 1))),
        tips=tuple(tips),
    )
    return save_sheet(out, "neighbours", sheet, [torch.cat([one[None], near]) for one, near in pictures], set(marked))


def _map(out: Path, embedding: Embedding) -> dict[str, str]:
    f, tests = embedding.features, Labelled(embedding.shards, "test")
    occurring = np.unique(tests.label)
    chosen = evenly(occurring, MAP_CLASSES)
    rows = evenly(np.flatnonzero(np.isin(tests.label, chosen)), MAPPED)
    if len(rows) < 4:
        return {}
    places = placed(f.test[torch.from_numpy(rows).to(f.test.device)].cpu())
    lines = [rows[start : start + MAP_COLUMNS] for start in range(0, len(rows), MAP_COLUMNS)]
    of = "" if len(chosen) == len(occurring) else f" of {len(chosen)} classes out of {len(occurring)}"
    sheet = Sheet(
        alt=f"{len(rows)} test images{of}, each where its features lie among the others in two dimensions",
        cell=MAP_CELL,
        tips=tuple(tuple(map(tests.told, line)) for line in lines),
    )
    points = {
        "classes": [embedding.shards.class_names[each] for each in chosen],
        "points": [
            [round(float(x), 3), round(float(y), 3), int(np.searchsorted(chosen, tests.label[row]))]
            for (x, y), row in zip(places, rows)
        ],
    }
    write_text(out / "map_points.json", canonical(sealed(points)) + "\n")
    found = save_sheet(out, "map", sheet, [tests.pictures(line, MAP_CELL) for line in lines])
    return {**found, "map_points": "map_points.json"}


def placed(rows: Tensor) -> NDArray[np.float64]:
    """(n, 2) in [0, 1]: where features (n, F), made unit, lie in two dimensions, by t-SNE (van der Maaten and Hinton 2008).

    It starts from the two principal components and its seed is fixed, so that it comes out the same every time. Neighbours
    stay neighbours; distances between groups say nothing.
    """
    unit = torch.nn.functional.normalize(rows.double(), dim=1).numpy()
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    if np.ptp(unit, axis=0).max() < 1e-9 or unit.shape[1] < 2:
        return np.full((len(unit), 2), 0.5)  # all are one point
    found = TSNE(init="pca", random_state=0, perplexity=perplexity, max_iter=500).fit_transform(unit)
    low, wide = found.min(0), np.maximum(np.ptp(found, axis=0), 1e-12)
    return np.asarray((found - low) / wide, dtype=np.float64)


def _confusions(out: Path, embedding: Embedding, named: Tensor, worst: Sequence[Pair]) -> dict[str, str]:
    if not worst:
        return {}
    tests, names = Labelled(embedding.shards, "test"), embedding.shards.class_names
    rows = [
        evenly(np.flatnonzero((tests.label == truth) & (named.numpy() == called)), EXAMPLES)
        for truth, called, _ in worst
    ]
    told = [f"{names[truth]} named {names[called]}" for truth, called, _ in worst]
    sheet = Sheet(
        alt="Test images that were named wrongly: "
        + ", ".join(f"{words} ({100 * share:.1f} %)" for words, (_, _, share) in zip(told, worst)),
        cell=CELL,
        rows=tuple(f"{words}, {100 * share:.1f} %" for words, (_, _, share) in zip(told, worst)),
        tips=tuple(tuple(f"{tests.told(each)}, {words}" for each in line) for words, line in zip(told, rows)),
    )
    return save_sheet(out, "confusions", sheet, [tests.pictures(line, CELL) for line in rows])


class Labelled:
    """The labelled images of a split, counted as the rows of features are."""

    def __init__(self, shards: ShardSet, split: str) -> None:
        label = shards.table(split).label
        self._shards, self._split = shards, split
        self._rows, self._ids = np.flatnonzero(label >= 0), shards.ids(split)
        self.label: NDArray[np.int64] = label[self._rows]

    def told(self, row: int) -> str:
        """An image's name and class."""
        return f"{self._ids[self._rows[row]]}: {self._shards.class_names[self.label[row]]}"

    def pictures(self, rows: Iterable[int], side: int) -> Tensor:
        """(n, 3, side, side) uint8."""
        return thumbnails(self._shards, self._split, self._rows[np.asarray(list(rows))], side)


def evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most ``most`` of the rows, evenly spaced from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64)]
