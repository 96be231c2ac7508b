"""Which numbers, on which data sets, are the columns of a table."""

from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.spec.labels import Labels
from pipelines.spec.mistakes import suggestion
from pipelines.spec.named import number
from pipelines.spec.published import published_protocol
from pipelines.spec.study import Study
from pipelines.spec.tables import PaperTable, PlannedColumn, TableColumn
from pipelines.spec.titles import number_title, protocol_title

MONITOR_DIGITS = 3


@dataclass(frozen=True)
class ColumnPlace:
    """Where a number is measured: the data set, and the one that encoders were pretrained on."""

    dataset: str
    origin: str
    title: str


def columns_of(study: Study, table: PaperTable, where: str) -> tuple[PlannedColumn, ...]:
    """The columns of a table, in its order; InputError names the key and what there is instead."""
    entries = [
        (entry, f"{where}.columns[{i}]") for i, written in enumerate(table.columns) for entry in _spelt(study, written)
    ]
    found = [(entry, _number(study, entry, place), _places(study, entry, place)) for entry, place in entries]
    shown = {place.dataset for entry, _, places in found if entry.kind not in ("rank", "elsewhere") for place in places}
    return tuple(
        column
        for entry, what, places in found
        for column in _columns(table, entry, what, places, several=len(shown) > 1)
    )


def _spelt(study: Study, entry: TableColumn) -> list[TableColumn]:
    """The entry, or where it is of all numbers one for each."""
    if entry.metric != "all":
        return [entry]
    numbers = [f"{evaluation.use}/{name}" for evaluation in study.evaluation for name in evaluation.numbers]
    return [entry.model_copy(update={"metric": name}) for name in numbers]


def _columns(
    table: PaperTable, entry: TableColumn, what: str, places: list[ColumnPlace], several: bool
) -> list[PlannedColumn]:
    """The columns of one entry; ``several``: whether the table is about several data sets."""
    digits = MONITOR_DIGITS if entry.kind == "monitor" else table.digits
    words, each = _words(entry, what), len(places) > 1
    return [
        PlannedColumn(
            kind=entry.kind,
            number=what,
            dataset=place.dataset or None,
            origin=place.origin or None,
            source=entry.source or "",
            by=entry.by or "",
            title=_title(entry, words, place, each),
            group=_group(entry, words, place, each, several),
            digits=digits if entry.digits is None else entry.digits,
        )
        for place in places
    ]


def _number(study: Study, entry: TableColumn, where: str) -> str:
    """What the column shows, in the form of ``PlannedColumn.number``."""
    given = str(getattr(entry, entry.kind))
    if entry.kind in ("monitor", "elsewhere"):
        return given
    if entry.kind != "published":
        return number(study, given, f"{where}.{entry.kind}", "the column")
    measured = {published_protocol(each, name) for each in study.evaluation for name in each.numbers} - {None}
    if given not in measured:
        there = ", ".join(sorted(map(str, measured))) or "nothing that has published figures"
        raise InputError(f"{where}.published: nothing in the study is measured as {given} is; it has {there}")
    return given


def _words(entry: TableColumn, what: str) -> str:
    """What the column is called where it has no title."""
    match entry.kind:
        case "monitor":
            return what.rpartition("/")[2].replace("_", " ")
        case "gain":
            return f"gain, {number_title(what)}"
        case "rank":
            return "mean rank"
        case "published":
            return f"{protocol_title(what)}, published"
        case "elsewhere":
            return protocol_title(what)
    return number_title(what)


def _title(entry: TableColumn, words: str, place: ColumnPlace, each: bool) -> str:
    if not each:
        return entry.title or ("published" if entry.reproduces else words)
    return f"{entry.title}, {place.title}" if entry.title else place.title


def _group(entry: TableColumn, words: str, place: ColumnPlace, each: bool, several: bool) -> str:
    if entry.group is not None:
        return entry.group
    if entry.kind == "rank":
        return number_title(str(entry.rank))
    if entry.kind == "elsewhere":
        return "published elsewhere"
    if entry.kind == "reproduces":
        return f"{words}, {entry.source or entry.by or 'published'}"
    return words if each else place.title if several else ""


def _places(study: Study, entry: TableColumn, where: str) -> list[ColumnPlace]:
    """Where the numbers of an entry are measured; what is asked of all data sets at once has one place without a name."""
    if entry.kind == "rank":
        return [ColumnPlace("", "", "")]
    labels, homes, found = Labels.of(study), study.pretraining_sets, []
    for evaluated in study.all_datasets:
        for home in homes:
            there = [home] if entry.kind == "monitor" else labels.evaluated_on(home)
            if any(each is evaluated for each in there):
                name, origin = evaluated.short_name, home.short_name
                moved = len(homes) > 1 and name != origin
                found.append(ColumnPlace(name, origin, f"{name} (from {origin})" if moved else name))
    known = list(dict.fromkeys(place.dataset for place in found))
    if entry.dataset not in (None, *known):
        raise InputError(
            f"{where}.dataset: the study has no data set {entry.dataset!r} of which that is known; "
            f"{suggestion(str(entry.dataset), known)}"
        )
    chosen = [place for place in found if entry.dataset in (None, place.dataset)]
    return chosen[:1] if entry.kind == "elsewhere" else chosen
