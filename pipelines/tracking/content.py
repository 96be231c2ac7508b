"""What a run of MLflow shall say, worked out from folders before MLflow is asked for anything."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.tracking.marks import Mark


@dataclass(frozen=True)
class TrackedDataSet:
    """A data set that a run has used. ``digest`` names its shards; ``profile``: counts, as JSON; ``context``: what for."""

    name: str
    digest: str
    source: str
    profile: str
    context: str


@dataclass(frozen=True)
class TrackedImages:
    """The images that an encoder takes: channels, and pixels a side."""

    channels: int
    side: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, channels, side, side), the number of images being free."""
        return (-1, self.channels, self.side, self.side)


@dataclass(frozen=True)
class Final:
    """Numbers that stand once.

    digest   of the record they are from; empty: made from several, and told again when one of these changes
    time     milliseconds since 1970
    dataset  what they were measured on
    """

    digest: str
    time: int
    metrics: dict[str, float]
    dataset: TrackedDataSet | None = None


@dataclass(frozen=True)
class Content:
    """All of one run.

    key       names the run among those of one results folder and study
    mark      all there is to send
    status    MLflow's word: FINISHED, RUNNING, FAILED, or SCHEDULED where something has yet to be done
    started   milliseconds since 1970, like ``ended``
    history   the curves; None: it has none
    files     name in MLflow -> file
    weights   the file of a finished encoder, which becomes a model; None: it has none
    images    those that the encoder takes; None: not known
    """

    key: str
    name: str
    mark: Mark
    params: dict[str, str]
    tags: dict[str, str]
    status: str
    started: int
    ended: int
    history: Path | None = None
    finals: tuple[Final, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    datasets: tuple[TrackedDataSet, ...] = ()
    weights: Path | None = None
    images: TrackedImages | None = None

    def holds(self, mark: Mark) -> bool:
        """Whether all that a run was sent is still true."""
        return self.mark.holds(mark, self.history)
