"""Stage look: what a study's data sets hold, as they lie on this machine; writes nothing."""

from collections import Counter
from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.kinds import in_words
from pipelines.sources.base import SPLITS, Source, Split, open_source
from pipelines.sources.looking import equal_told, pixels_told
from pipelines.spec.contents import lacking
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.load import load_study

MOST_CLASSES = 20


def run(study: Path) -> int:
    """Print layout, splits, classes, sizes, equal images and what is left out, of each data set; 1 when one cannot be read."""
    failed = 0
    for dataset in load_study(study).all_datasets:
        print(f"{dataset.short_name} ({dataset.use}, {dataset.role})")
        try:
            for line in dataset.uncounted():  # before what takes long
                print(f"  {line}", flush=True)
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
        told = pixels_told(source.split(name), dataset)
        lines += [f"  {what}: {words}" for what, words in told.items()]
    train, test = (_counts(source, source.split(name)) for name in SPLITS)
    lines += _unlabelled(source)
    lines += [f"{what}: {named}" for what, named in lacking(source.classes, train, test).items()]
    lines.append(f"equal images: {equal_told(source.train, source.test)}")
    if source.held is not None:
        lines.append(f"held out of train for choices: {len(source.held)} images")
    if not source.classes:
        lines.append("labels: none")
    return [*lines, f"left out: {in_words(source.skipped) or 'nothing'}"]


def _counts(source: Source, split: Split) -> list[int]:
    counts = Counter(split.labels.tolist())
    return [counts[label] for label in range(len(source.classes))]


def _unlabelled(source: Source) -> list[str]:
    counts = {name: int((source.split(name).labels < 0).sum()) for name in SPLITS}
    told = ", ".join(f"{count} of {name}" for name, count in counts.items() if count and source.classes)
    return [f"without a label: {told}"] if told else []


def _classes(source: Source, split: Split) -> list[str]:
    named = [f"{name} {count}" for name, count in zip(source.classes[:MOST_CLASSES], _counts(source, split))]
    more = f", ... ({len(source.classes)} in all)" if len(source.classes) > MOST_CLASSES else ""
    return [f"  classes: {', '.join(named)}{more}"] if named else []
