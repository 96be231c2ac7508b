"""What needs red, green and blue, and is refused for images of other channels, with what to write in its place."""

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.views import Augmentation, Views

SATURATION, HUE = 2, 3
"""Places in an augmentation's ``jitter``."""


def has_colours(channels: int) -> bool:
    """Three channels are taken for red, green and blue; one, grey, is what colour operations leave as it is."""
    return channels in (1, 3)


def check_colours(views: Views, dataset: DataSet) -> None:
    """ValueError for view operations that the images of a data set have no colours for."""
    if has_colours(dataset.input_channels):
        return
    for kind in views.augmentations:
        if asked := _coloured(kind):
            brightness, contrast = kind.jitter[:2]
            raise ValueError(
                f"views: {', '.join(asked)}: the images of {dataset.short_name} have dataset.channels: "
                f"{dataset.input_channels}, and these operations need red, green and blue; switch them off with "
                f"views: {{grayscale: 0, jitter: [{brightness:g}, {contrast:g}, 0, 0]}}, under the study or the method"
            )


def _coloured(kind: Augmentation) -> list[str]:
    """The operations of a view that mix colours, with their settings."""
    jitters = kind.jitter if kind.jitter_prob else (0.0,) * len(kind.jitter)
    asked = {
        "grayscale": kind.grayscale,
        "jitter[2] (saturation)": jitters[SATURATION],
        "jitter[3] (hue)": jitters[HUE],
    }
    named = [f"{name} {value:g}" for name, value in asked.items() if value]
    return [*named, *([f"colour {kind.colour}"] if kind.colour not in ("rgb", "unit") else [])]


def check_evaluations(evaluations: tuple[Protocol, ...], dataset: DataSet) -> None:
    """InputError for protocols that change colours which the images of a data set do not have."""
    for i, evaluation in enumerate(evaluations):
        check_randaugment(f"evaluation[{i}]", evaluation, dataset)


def check_randaugment(where: str, evaluation: Protocol, dataset: DataSet) -> None:
    """The same for one protocol; where: its place in the study."""
    if getattr(evaluation, "randaugment", 0) and not has_colours(dataset.input_channels):
        raise InputError(
            f"{where}.randaugment: RandAugment changes colours and grey values, and the images of "
            f"{dataset.short_name} have dataset.channels: {dataset.input_channels}; set it to 0"
        )


def check_same_channels(who: str, channels: int, dataset: DataSet) -> None:
    """InputError where an encoder would be measured on images of other channels than it takes."""
    if channels != dataset.input_channels:
        raise InputError(
            f"{who} takes images of {_counted(channels)}, and those of {dataset.short_name} have "
            f"{_counted(dataset.input_channels)}; measure it on images of its own kind: save both data sets with the same "
            "channels in the same order, and say so with dataset.channels, or make two studies"
        )


def _counted(channels: int) -> str:
    return "one channel" if channels == 1 else f"{channels} channels" + " (RGB)" * (channels == 3)
