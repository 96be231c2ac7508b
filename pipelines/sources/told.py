"""What a reader of results should know of the images behind them: for the record of the shards, before any training."""

from pipelines.sources.index import Index
from pipelines.spec.contents import channel_names, lacking

LEVELS = 32
"""Of the 256 that training sees: a channel that uses fewer has lost its detail to a value_range that is too wide."""
LACKING = ("classes_missing_from_train", "classes_missing_from_test", "classes_of_one_image")


def told(index: Index) -> dict[str, int | str | None]:
    """Counts and names, none where there is nothing to tell."""
    lacks = lacking(index.classes, index.class_counts.get("train", []), index.class_counts.get("test", []))
    return {
        "images_with_alpha": index.changed.get("alpha"),
        "images_in_cmyk": index.changed.get("cmyk"),
        "images_turned": index.changed.get("turned"),
        "images_cut_to_8_bits": index.changed.get("deep"),
        "images_of_several_frames": index.changed.get("frames"),
        "equal_images_in_train": index.equal.get("train"),
        "equal_images_in_test": index.equal.get("test"),
        "test_images_in_train": index.equal.get("test_in_train"),
        **{name: lacks.get(name.replace("_", " ")) for name in LACKING},
        "images_of_extreme_shape": index.extreme.get("count"),
        "constant_channels": ", ".join(_constant(index)) or None,
        "channels_of_few_values": ", ".join(_faint(index)) or None,
    }


def flags(index: Index) -> list[str]:
    """The same as flags of the record."""
    found = told(index)
    names = ("test_images_in_train", *LACKING)
    return [
        *(["unreadable_images"] if index.unreadable else []),
        *(["one_class"] if len(index.classes) == 1 else []),
        *(name for name in names if found[name]),
        *(f"constant_channel:{name}" for name in _constant(index)),
        *(f"few_values:{name}" for name in _faint(index)),
    ]


def _constant(index: Index) -> list[str]:
    return [name for name, std in zip(channel_names(index.channels), index.std) if std == 0]


def _faint(index: Index) -> list[str]:
    """Channels of more than 8 bits whose stored values, from the lowest to the highest, fill few of the 256 levels."""
    lowest, highest = index.values.get("lowest", []), index.values.get("highest", [])
    deep = any(high > 255 for high in highest)
    ranges = index.decoding.value_range or ((0, 65_535 if deep else 255),)
    ranges = ranges * len(lowest) if len(ranges) == 1 else ranges
    found = zip(channel_names(index.channels), lowest, highest, ranges) if deep else ()
    return [name for name, low, high, (black, white) in found if 0 < 256 * (high - low) / (white - black) < LEVELS]
