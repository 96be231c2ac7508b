"""What packing found of a data set's images, in words: sizes, channels, changes, what is wrong with some of them."""

from collections.abc import Mapping
from typing import Any

from pipelines.spec.contents import channel_names

CHANGED = {
    "alpha": "with transparency",
    "cmyk": "in CMYK",
    "turned": "turned by their EXIF tag",
    "deep": "of 16 bits a channel, of which 8 are read (dataset.channels reads all)",
    "frames": "of several frames, of which the first is read",
}
EQUAL = {"train": "repeated in train", "test": "repeated in test", "test_in_train": "of test that are in train too"}


def images_told(index: Mapping[str, Any]) -> dict[str, str]:
    """What of them -> in words, empty where there is nothing to tell; ``index``: the values of an index.json."""
    return {
        "sizes": _sizes(index),
        "extreme shapes": few(index["extreme"]) if index.get("extreme") else "",
        "channels": _channels(index),
        "changed": changed_told(index.get("changed", {})),
        "unreadable": _unreadable(index["unreadable"]),
        "equal images": _counted(index.get("equal", {}), EQUAL),
    }


def changed_told(counts: Mapping[str, int]) -> str:
    """How many images were changed in which way, in words; empty where none was."""
    return _counted(counts, CHANGED)


def few(found: Mapping[str, Any]) -> str:
    """A count with its first examples: ``2 (a, b)``."""
    more = ", ..." * (found["count"] > len(found["examples"]))
    return f"{found['count']} ({', '.join(found['examples'])}{more})"


def _sizes(index: Mapping[str, Any]) -> str:
    side = f"{index['image_size']} x {index['image_size']} pixels"
    if index["uniform"] or not (sizes := index.get("sizes")):
        return side
    wide, high = (_span(sizes[f"least_{name}"], sizes[f"most_{name}"]) for name in ("width", "height"))
    different = f", {sizes['different']} different sizes" * (sizes["different"] > 1)
    return f"{wide} pixels wide, {high} high{different}; evaluated at {side}"


def _span(least: int, most: int) -> str:
    return f"{least} to {most}" if least < most else str(most)


def _channels(index: Mapping[str, Any]) -> str:
    count = index["channels"]
    names = channel_names(count)
    each = [f"{name} {mean:.3f} ± {std:.3f}" for name, mean, std in zip(names, index["mean"], index["std"])]
    constant = [name for name, std in zip(names, index["std"]) if std == 0]
    told = f"; the same in every pixel: {', '.join(constant)}" if constant else ""
    return f"{count}: {', '.join(each)}{told}"


def _counted(counts: Mapping[str, Any], words: Mapping[str, str]) -> str:
    return ", ".join(f"{counts[name]} {what}" for name, what in words.items() if counts.get(name))


def _unreadable(found: list[Mapping[str, str]]) -> str:
    first = "; ".join(f"{each['id']} ({each['reason']})" for each in found[:3])
    return f"{len(found)}: {first}{'; ...' * (len(found) > 3)}" if found else ""
