"""What a comparison is made of: rows (a method or a floor), columns (a protocol's metric), cells (all seeds)."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.metric import Metric
from pipelines.report.estimates import Correct
from pipelines.report.study import Result
from pipelines.spec.base import Model
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.jobs import AnySource, Foreign, PretrainSpec
from pipelines.spec.titles import metric_title, protocol_title
from pipelines.statistics.intervals import Estimate


@dataclass(frozen=True)
class Column:
    """What is measured: by which protocol, which metric of the record."""

    protocol: str
    evaluation: Protocol
    """Two settings of one protocol are two columns."""
    metric: Metric

    @property
    def title(self) -> str:
        """The protocol, and the metric where it is not plain top-1."""
        name = self.metric.number
        words = metric_title(name)
        return self.protocol if name == "top1" else f"{self.protocol}, {words}"

    @property
    def protocol_name(self) -> str:
        """The kind in words, without its settings."""
        return protocol_title(self.evaluation.use)


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    title        the label, and where a method was pretrained when that was elsewhere
    method       as the study names it; of a floor its kind: rows of one method share a colour
    source       where the encoder comes from; None: no encoder, a guess that looks at no image
    point        the grid point: options with their values in words
    tuned        whether a search chose the values
    trained_on   the data set it was pretrained on; None for floors and for weights from a file
    pretraining  one of its pretraining jobs: where its settings stand
    """

    title: str
    label: str
    method: str
    source: AnySource | None
    point: tuple[tuple[str, str], ...] = ()
    tuned: bool = False
    trained_on: str | None = None
    pretraining: Result[PretrainSpec] | None = field(default=None, compare=False)

    @property
    def origin(self) -> str:
        """guess, pixels, untrained, checkpoint or pretrain."""
        return self.source.use if self.source else "guess"

    @property
    def is_floor(self) -> bool:
        return self.pretraining is None and not isinstance(self.source, Foreign)

    @property
    def saw_labels(self) -> bool:
        """Trained on the labels: the supervised reference, and CLIP where its captions are made from class names."""
        if self.pretraining is None:
            return False
        spec = self.pretraining.spec
        return spec.method.use == "supervised" or (spec.method.use == "clip" and "captions" not in spec.dataset.beside)

    @property
    def competes(self) -> bool:
        """Whether it may be the best: pretrained here, and no reference that saw the labels."""
        return self.pretraining is not None and not self.saw_labels


@dataclass(frozen=True)
class Cell:
    """All seeds of a row in a column.

    by_seed    percent, one a finished job with a finite metric
    expected   jobs planned; 0: the study does not measure this
    missing    of these, jobs without a record
    flags      what the runs behind the values are flagged with, and how many of them
    is_exact   worked out, not measured
    estimate   mean, sd over seeds (n - 1) and 95 % interval, in percent; None without values
    correct    by seed, what each test image adds, see ``Correct``; None where not every seed kept that
    predicted  by seed, the class named for each test image; empty where none was kept
    """

    by_seed: Mapping[int, float]
    expected: int
    missing: int = 0
    flags: tuple[tuple[str, int], ...] = ()
    is_exact: bool = False
    estimate: Estimate | None = None
    correct: Correct | None = field(default=None, repr=False, compare=False)
    predicted: Mapping[int, NDArray[np.unsignedinteger]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n(self) -> int:
        return len(self.by_seed)

    @property
    def mean(self) -> float | None:
        """Percent."""
        return statistics.fmean(self.by_seed.values()) if self.by_seed else None

    @property
    def is_complete(self) -> bool:
        return self.expected > 0 and self.n == self.expected

    @property
    def text(self) -> str:
        """``71.2 ± 0.4 (3)``; ``(2 of 3)`` when partial; ``missing (0 of 3)``; ``–`` when it was not planned."""
        if self.expected == 0:
            return "–"
        count = str(self.n) if self.is_complete else f"{self.n} of {self.expected}"
        if self.mean is None:
            return f"{'missing' if self.missing else 'not finite'} ({count})"
        spread = f" ± {self.estimate.sd:.1f}" if self.estimate and self.estimate.sd is not None else ""
        return f"{self.mean:.1f}" if self.is_exact else f"{self.mean:.1f}{spread} ({count})"

    @property
    def interval(self) -> str:
        """``[70.1, 72.3]``, with what alone it counts where that is not seeds and images; empty where there is none."""
        found = self.estimate
        if found is None or found.low is None or found.high is None:
            return ""
        alone = "" if found.counts == "seeds and images" else f" {found.counts} only"
        return f"[{found.low:z.1f}, {found.high:z.1f}]{alone}"


def protocol_titles(evaluations: Iterable[Protocol]) -> dict[Protocol, str]:
    """Each evaluation's name; options that tell two of one kind apart are part of it."""
    found = list(dict.fromkeys(evaluations))
    titles = {}
    for evaluation in found:
        twins = [other for other in found if other.use == evaluation.use]
        differing = [
            name
            for name in type(evaluation).model_fields
            if any(getattr(other, name) != getattr(evaluation, name) for other in twins)
        ]
        if evaluation.use == "knn" and "k" not in differing:
            differing.insert(0, "k")
        options = ", ".join(f"{name.replace('_', ' ')} {_plain(getattr(evaluation, name))}" for name in differing)
        kind = protocol_title(evaluation.use)
        titles[evaluation] = f"{kind} ({options})" if options else kind
    return titles


def _plain(value: Any) -> str:
    if isinstance(value, Model):
        return str(getattr(value, "short_name", value))
    return ", ".join(map(_plain, value)) if isinstance(value, tuple) else str(value)
