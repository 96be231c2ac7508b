"""Stage look: what a study's data sets hold, as they lie on this machine; writes nothing."""

from collections import Counter
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.kinds import in_words
from pipelines.sources.base import SPLITS, Source, Split, open_source
from pipelines.sources.images import Decoding, Unreadable
from pipelines.sources.whole import shown
from pipelines.spec.contents import lacking
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.load import load_study

MOST_OPENED = 100
"""Images of a split that are decoded, evenly spaced."""
MOST_CLASSES = 20


def run(study: Path) -> int:
    """Print layout, splits, classes, sizes and what is left out, of each data set; 1 when one cannot be read."""
    failed = 0
    for dataset in load_study(study).all_datasets:
        print(f"{dataset.short_name} ({dataset.use}, {dataset.role})")
        try:
            for line in _lines(dataset):
                print(f"  {line}")
        except InputError as error:
            print(f"  error: {error}")
            failed = 1
    return failed


def _lines(dataset: DataSet) -> list[str]:
    if getattr(dataset, "folder", dataset.use) is None:
        return ["no folder given: found or downloaded when it is packed"]
    source = open_source(dataset)
    lines = [f"layout: {source.layout}"] if source.layout else []
    for name in SPLITS:
        lines += [f"{name}: {len(source.split(name))} images", *_classes(source, source.split(name))]
        lines += _pixels(source.split(name), Decoding.of(dataset.model_dump()))
    train, test = (_counts(source, source.split(name)) for name in SPLITS)
    lines += [f"{what}: {named}" for what, named in lacking(source.classes, train, test).items()]
    if source.held is not None:
        lines.append(f"held out of train for choices: {len(source.held)} images")
    if not source.classes:
        lines.append("labels: none")
    return [*lines, f"left out: {in_words(source.skipped) or 'nothing'}"]


def _counts(source: Source, split: Split) -> list[int]:
    counts = Counter(split.labels.tolist())
    return [counts[label] for label in range(len(source.classes))]


def _classes(source: Source, split: Split) -> list[str]:
    named = [f"{name} {count}" for name, count in zip(source.classes[:MOST_CLASSES], _counts(source, split))]
    more = f", ... ({len(source.classes)} in all)" if len(source.classes) > MOST_CLASSES else ""
    return [f"  classes: {', '.join(named)}{more}"] if named else []


def _pixels(split: Split, decoding: Decoding) -> list[str]:
    """Sizes, channels and unreadable ones of some images."""
    sizes, modes, unreadable = Counter[tuple[int, int]](), Counter[str](), list[str]()
    rows = range(0, len(split), max(1, len(split) // MOST_OPENED))
    for row in rows:
        try:
            image = shown(split.read(row).image, decoding)
        except (OSError, Unreadable) as error:
            unreadable.append(f"{split.ids[row]} ({error})")
            continue
        sizes[image.size] += 1
        seen = "grey" if image.mode == "L" else "colour"
        modes[f"of {decoding.channels} channels" if decoding.channels else seen] += 1
    if not sizes:
        return [f"  none of {len(rows)} could be read: {'; '.join(unreadable[:3])}"] if unreadable else []
    low, high = min(sizes, key=min), max(sizes, key=max)
    span = f"{low[0]}x{low[1]}" + (f" to {high[0]}x{high[1]}" if len(sizes) > 1 else "")
    found = f"  {len(rows)} opened: {span} pixels, {', '.join(f'{count} {mode}' for mode, count in modes.items())}"
    return [found, *([f"  {len(unreadable)} unreadable: {'; '.join(unreadable[:3])}"] if unreadable else [])]
