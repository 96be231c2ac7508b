"""What a reader of results should know of the images behind them: for the record of the shards, before any training."""

from collections.abc import Iterable

from pipelines.sources.index import Index

CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}
MOST_NAMES = 5


def told(index: Index) -> dict[str, int | str | None]:
    """Counts and names, none where there is nothing to tell."""
    train, test = index.class_counts.get("train", []), index.class_counts.get("test", [])
    return {
        "images_with_alpha": index.changed.get("alpha"),
        "images_in_cmyk": index.changed.get("cmyk"),
        "images_turned": index.changed.get("turned"),
        "equal_images_in_train": index.equal.get("train"),
        "equal_images_in_test": index.equal.get("test"),
        "test_images_in_train": index.equal.get("test_in_train"),
        "classes_missing_from_train": _named(index, (label for label, count in enumerate(train) if not count)),
        "classes_missing_from_test": _named(index, (label for label, count in enumerate(test) if not count)),
        "classes_of_one_image": _named(
            index, (label for label, counts in enumerate(zip(train, test)) if sum(counts) == 1)
        ),
        "constant_channels": ", ".join(_constant(index)) or None,
    }


def flags(index: Index) -> list[str]:
    """The same as flags of the record."""
    found = told(index)
    names = ("test_images_in_train", "classes_missing_from_train", "classes_missing_from_test", "classes_of_one_image")
    return [
        *(["unreadable_images"] if index.unreadable else []),
        *(["one_class"] if len(index.classes) == 1 else []),
        *(name for name in names if found[name]),
        *(f"constant_channel:{name}" for name in _constant(index)),
    ]


def _constant(index: Index) -> list[str]:
    return [name for name, std in zip(CHANNELS[index.channels], index.std) if std == 0]


def _named(index: Index, labels: Iterable[int]) -> str | None:
    """``2: cat, dog``."""
    names = [index.classes[label] for label in labels]
    shown = ", ".join(names[:MOST_NAMES]) + ", ..." * (len(names) > MOST_NAMES)
    return f"{len(names)}: {shown}" if names else None
