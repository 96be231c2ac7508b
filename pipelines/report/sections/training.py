"""Training: loss and online kNN over the steps."""

from collections.abc import Iterator, Sequence

from pipelines.report.curves import TRAINING
from pipelines.report.material import Material
from pipelines.report.multiples import multiples
from pipelines.report.section import Chart, Section

ORDER = 140
NAMES = ("pretraining loss", "online kNN accuracy")
"""What each of TRAINING is called before the first paragraph of the caption; its last ones are about them, in this order."""


def sections(material: Material) -> Iterator[Section]:
    """Small multiples for every metric and data set."""
    drawn = multiples(material.curves, TRAINING)
    yield Section("training", "Training", told(material.caption("training"), drawn), drawn)


def told(caption: tuple[str, ...], drawn: Sequence[Chart]) -> tuple[str, ...]:
    """The caption, saying what is drawn and nothing of what is not: a run may have no readings of online kNN."""
    shown = [any(chart.title.endswith(words) for chart in drawn) for words in TRAINING.values()]
    names = " and ".join(name for name, is_shown in zip(NAMES, shown, strict=True) if is_shown)
    lead = f"{names[:1].upper()}{names[1:]} {caption[0]}"
    about = [words for words, is_shown in zip(caption[-len(NAMES) :], shown) if is_shown]
    return (lead, *caption[1 : -len(NAMES)], *about)
