"""Settings from several places: the later places over the earlier, and what was overruled, for the reader of a plan."""

from typing import Any

Layer = tuple[str, dict[str, Any]]
"""Who says it (recipe moco_v2/small, study, method entry, grid), and the settings."""


def laid(layers: list[Layer]) -> dict[str, Any]:
    """All settings, the last value of each."""
    return {name: value for _, settings in layers for name, value in settings.items()}


def overruled(layers: list[Layer], prefix: str = "") -> list[str]:
    """A note for every setting with different values: ``epochs 3 (study) instead of 12 (recipe moco_v2/small)``."""
    notes = []
    for name in laid(layers):
        *before, (value, who) = [(settings[name], who) for who, settings in layers if name in settings]
        others = [f"{other} ({by})" for other, by in before if other != value]
        if others:
            notes.append(f"{prefix}{name} {value} ({who}) instead of {', '.join(others)}")
    return notes
