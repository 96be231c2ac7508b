"""Tables of a study, as it declares them for a paper: which rows, which columns, how numbers are written."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from pipelines.spec.base import Model, Name
from pipelines.spec.monitored import Monitor
from pipelines.spec.published import Published
from pipelines.spec.reproductions import PlannedReproduction
from pipelines.spec.runs import Named, short

Text = Annotated[str, Field(min_length=1)]
Digits = Annotated[int, Field(ge=0, le=6)]
Kind = Literal["metric", "gain", "monitor", "rank", "published", "elsewhere", "reproduces"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a column can show; a column has exactly one of these keys."""
FigureProtocol = Literal[
    "knn", "linear", "finetune", "semi_1pct", "semi_10pct", "detection_ap", "detection_ap50", "detection_ap75"
]
FIGURES: tuple[FigureProtocol, ...] = get_args(FigureProtocol)
"""Protocols under which others have published figures (reports/published)."""
CAPTIONS = Path(__file__).parents[2] / "reports" / "captions"
"""A file for each section of the report."""
REPORTED = {*(path.stem for path in CAPTIONS.glob("*.md")), "rank_correlations", "confusions", "per_class"}
"""Tables that the report writes into the same folder, named after its sections; also results-DATASET."""


def _rows(given: Any) -> Any:
    """``rows: all`` means one entry."""
    return ({"every": given},) if isinstance(given, str) else _sequence(given)


def _measured(given: Any) -> Any:
    """``columns: [knn]`` means that protocol's headline."""
    return {"metric": given} if isinstance(given, str) else given


def _columns(given: Any) -> Any:
    """``columns: all`` means one entry."""
    return (given,) if isinstance(given, str) else _sequence(given)


def _sequence(given: Any) -> Any:
    """A list is a tuple after a validator of ours, where no JSON is read any more."""
    return tuple(given) if isinstance(given, list) else given


class TableRow(Named):
    """Rows of a table: one for every run that fits, in the grid's order."""

    method: str | None = None
    """The label of a method entry, or the name of a checkpoint."""
    arms: Text | None = None
    """An option (momentum, feature_transform.positive.alpha, training.epochs): a row for each of its values, in order,
    titled by the value; of all methods that have it, or of ``method`` alone."""
    every: Literal["all", "methods"] | None = None
    """all: floors and every run of every method, as in the report; methods: without floors."""
    over: Annotated[Named | None, BeforeValidator(short, json_schema_input_type=str | Named | None)] = None
    """What gain columns subtract, seed by seed: of a method with a grid the run at the same point."""
    title: Text | None = None
    """Of one run; none: its label. With ``arms`` it may hold {value}."""
    group: str = ""
    """Rows of one group stand together under this heading."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.every:
            if self.method or self.floor or self.at or self.tuned or self.arms or self.title:
                raise ValueError(f"every {self.every} is a rule of its own; leave all but group and over out")
        elif self.arms is None:
            self.check_one()
        elif self.floor or self.tuned:
            raise ValueError("arms are runs that differ in an option they were given; leave floor and tuned out")
        elif self.at and self.method is None:
            raise ValueError("at is about the grid of one method; name the method")
        return self

    @model_validator(mode="after")
    def _gain(self) -> Self:
        if self.over and self.over.floor == "untrained":
            raise ValueError("over: a gain is taken over a method or raw pixels, not over the untrained encoder")
        return self


class TableColumn(Model):
    """Columns of a table: one for every data set that fits."""

    metric: str | None = None
    """What is measured: a protocol of the study's evaluation (``knn``), PROTOCOL/NUMBER (``few_shot/4_shot``), or all."""
    gain: str | None = None
    """The same, minus that of the row's ``over``, seed by seed, in points."""
    monitor: Monitor | None = None
    """A number that training records, at its last reading (``scores/negative_variance``)."""
    rank: str | None = None
    """The mean rank over this table's columns of that number: 1 is the highest mean everywhere."""
    published: FigureProtocol | None = None
    """What was published for the row's method under this protocol, where data set and network are the study's."""
    elsewhere: FigureProtocol | None = None
    """The nearest published figure of the row's method under this protocol, with data set, network and epochs in columns."""
    reproduces: str | None = None
    """The figure that the study reproduces with this number of the row, with the difference and the verdict in columns."""
    source: Text | None = None
    """Of reproduces and published: only figures whose source begins so (``solo-learn``)."""
    by: Text | None = None
    """Of reproduces and published: only figures measured by this, as the report prints it (``linear, online``)."""
    dataset: str | None = None
    """The data set measured on; none: a column for each."""
    title: Text | None = None
    """None: the protocol's name, or with a column a data set the data set's."""
    group: str | None = None
    """Neighbouring columns of one group stand under this heading; none: the data set, or with a column a data set the
    protocol."""
    digits: Digits | None = None
    """After the decimal point; none: the table's, of a monitor 3."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(KINDS)}, got {' and '.join(given) or 'none of them'}")
        if self.rank and self.dataset:
            raise ValueError("rank is a mean over this table's data sets; leave dataset out")
        if (self.source or self.by) and not (self.reproduces or self.published):
            raise ValueError("source and by choose among the figures of reproduces and published; leave them out")
        return self

    @property
    def kind(self) -> Kind:
        """Which of ``KINDS`` it shows."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


AnyRow = Annotated[TableRow, BeforeValidator(short, json_schema_input_type=str | TableRow)]
AnyColumn = Annotated[TableColumn, BeforeValidator(_measured, json_schema_input_type=str | TableColumn)]
Rows = Annotated[
    tuple[AnyRow, ...],
    Field(min_length=1),
    BeforeValidator(_rows, json_schema_input_type=Literal["all", "methods"] | tuple[AnyRow, ...]),
]
Columns = Annotated[
    tuple[AnyColumn, ...],
    Field(min_length=1),
    BeforeValidator(_columns, json_schema_input_type=Literal["all"] | tuple[AnyColumn, ...]),
]


def is_reported(name: str) -> bool:
    """Whether a table of this name is one of the report's: ``results``, ``ranks-digits``."""
    return name.partition("-")[0] in REPORTED


class PaperTable(Model):
    """One table of a paper. It is made from records alone and changes no job and no key."""

    name: Name
    """The stem of its files in results/STUDY/tables."""
    caption: Text
    """Plain text, as a sentence; Greek letters may stand as they are."""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]+$")] | None = None
    """For \\ref; none: tab:NAME."""
    heading: str | None = None
    """Of the first column; none: method, or the option whose arms the rows are."""
    rows: Rows = (TableRow(every="all"),)
    """A list, or all (floors and every run of every method, as in the report), or methods (the same without floors)."""
    columns: Columns = (TableColumn(metric="all"),)
    """A list, or all: every number of every evaluation on every data set."""
    digits: Digits = 1
    spread: Literal["sd", "interval", "none"] = "sd"
    """Beside a mean: ± the standard deviation over seeds, its 95 % interval, or nothing."""
    notes: tuple[Text, ...] = ()
    """Sentences below the table."""

    @model_validator(mode="after")
    def _own_name(self) -> Self:
        if is_reported(self.name):
            raise ValueError(f"name: the report writes a table {self.name} into the same folder; choose another")
        return self


class PlannedRow(Model):
    """A row whose run has been found in the plan. ``over``: the label that gains are taken over."""

    title: str
    group: str = ""
    label: str
    over: str | None = None
    option: str | None = None
    value: Any = None
    """Of ``option``, where the row is an arm of it."""


class PlannedColumn(Model):
    """A column that has been found in the plan.

    ``number``: PROTOCOL/NUMBER, a monitor's name, or of a published column the protocol. ``origin``: the data set that
    encoders were pretrained on. ``source``, ``by``: which figures it shows.
    """

    kind: Kind
    number: str
    dataset: str | None = None
    origin: str | None = None
    source: str = ""
    by: str = ""
    title: str
    group: str = ""
    digits: int

    def shows(self, line: PlannedReproduction) -> bool:
        """Whether a figure stands in this column, which is one of reproduces."""
        place = (self.number, self.dataset) == (line.number, line.dataset) and self.origin == self.dataset
        return place and self.takes(line.figure)

    def takes(self, figure: Published) -> bool:
        """Whether a figure is of the source, and measured by the protocol, that the column asks for."""
        return figure.source.startswith(self.source) and self.by in ("", figure.measured_by)


class PlannedTable(Model):
    """A table whose rows and columns have been found in the plan."""

    name: str
    caption: str
    label: str
    heading: str
    spread: Literal["sd", "interval", "none"]
    rows: tuple[PlannedRow, ...]
    columns: tuple[PlannedColumn, ...]
    notes: tuple[str, ...]
