"""From a plan and its records to everything a reader gets: the page, tables and figures."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.files import write_text
from pipelines.report.answer import answer
from pipelines.report.arms import arms_charts, arms_styles
from pipelines.report.brief import brief_of, save
from pipelines.report.claims import JudgedClaim, judged
from pipelines.report.classes import Confusions, class_tables, confusions, per_class_csv
from pipelines.report.comparison import NOT_JUDGED, Comparison, comparisons
from pipelines.report.cost_chart import cost_chart
from pipelines.report.costs import costs, points
from pipelines.report.curves import curves
from pipelines.report.data_sets import data_section
from pipelines.report.elsewhere import elsewhere_table
from pipelines.report.missing import missing
from pipelines.report.mixed import Standings
from pipelines.report.numbers import results_csv
from pipelines.report.opened import behind_tables, opened
from pipelines.report.page import Head, render_page, write_figures
from pipelines.report.pairs import Pair, pairs, pairs_csv, pairs_tables
from pipelines.report.pictures import pictures_section
from pipelines.report.reproduction import Reproduced, reproduced
from pipelines.report.reproduction_table import reproduction_table
from pipelines.report.reproduction_table import summary as reproduction_summary
from pipelines.report.results import Beside, beside, results_table
from pipelines.report.scores import CURVES as SCORES
from pipelines.report.scores import scores_section
from pipelines.report.sections import (
    COLLAPSE,
    TRAINING,
    Chart,
    Section,
    caption,
    comparison_section,
    curve_sections,
    shots_section,
    tuning_section,
    unshown,
)
from pipelines.report.sensitivity import ranks_tables
from pipelines.report.settings import settings_table
from pipelines.report.study import Results
from pipelines.report.summary import jobs_table, overview, timings_table, warnings
from pipelines.report.tables import Table, to_csv, to_latex, to_markdown
from pipelines.report.transfer import transfer_table
from pipelines.report.transfer_chart import transfer_charts
from pipelines.report.tuning import searches, tuning_table
from pipelines.report.verdicts import claims_chart, claims_table, summary, told
from pipelines.spec.layout import FIGURES, PAGE, TABLES
from pipelines.spec.published import Published, load_published


def build_report(results: Results, out: Path, texts: Path, standing: Standings = NOT_JUDGED) -> Path:
    """Write report.html, tables/ and figures/ into ``out``; the path of report.html, which is written last.

    ``texts``: the project's reports folder, with published/, templates/ and captions/. ``standing``: how records stand to the
    code of now, as far as the caller knows.
    """
    published = load_published(texts / "published")
    found = [(comparison, beside(comparison, published)) for comparison in comparisons(results, standing)]
    verdicts = judged(results, [comparison for comparison, _ in found])
    agreed = reproduced(results, [comparison for comparison, _ in found])
    paired = [(comparison, list(pairs(comparison))) for comparison, _ in found]
    classes = [confusions(results, comparison) for comparison, _ in found]
    sections = [
        _claims(verdicts, texts),
        *_results(results, found, texts),
        _costs(results, [comparison for comparison, _ in found], texts),
        _arms([comparison for comparison, _ in found], texts),
        _reproduction(agreed, texts),
        _elsewhere(found, published, texts),
        _ranks([comparison for comparison, _ in found], texts),
        _pairs(paired, texts),
        shots_section([comparison for comparison, _ in found], texts),
        _classes(classes, texts),
        *_details(results, texts, out),
    ]
    sections.append(_numbers(results, sections, verdicts, texts, out))
    tables = [table for section in sections for table in section.tables if table.name != "jobs"]
    for table in tables:
        _write_table(table, out / TABLES)
    write_text(out / TABLES / "results.csv", results_csv(found))
    if any(each for _, each in paired):
        write_text(out / TABLES / "pairs.csv", pairs_csv(paired))
    if any(classes):
        write_text(out / TABLES / "per_class.csv", per_class_csv(classes))
    figures = write_figures(sections, out / FIGURES)
    answers, lines = [answer(results, comparison) for comparison, _ in found], told(verdicts)
    save(brief_of(results, answers, lines), out)
    answers += [sentence for sentence in (summary(verdicts), reproduction_summary(agreed)) if sentence]
    head = Head(answers, lines, missing(results), [*warnings(results), *unshown(sections)], overview(results))
    page = render_page(results, head, sections, texts / "templates", figures)
    write_text(out / PAGE, page)
    return out / PAGE


def _claims(found: Sequence[JudgedClaim], texts: Path) -> Section:
    chart = claims_chart(found)
    drawn = (Chart("Differences and what is claimed of them", chart),) if chart else ()
    tables = (claims_table(found, _short(texts, "claims")),) if found else ()
    return Section("claims", "Claims", caption(texts, "claims"), drawn, tables)


def _costs(results: Results, found: Sequence[Comparison], texts: Path) -> Section:
    """A chart a data set with at least two methods to place."""
    drawn = []
    for comparison in found:
        for column in comparison.columns[:1]:
            placed = points(comparison, column, costs(results, comparison))
            if len(placed) > 1:
                drawn.append(Chart(f"{comparison.dataset.short_name} · {column.title}", cost_chart(placed, column)))
    return Section("cost", "Accuracy against cost", caption(texts, "cost"), tuple(drawn))


def _arms(found: Sequence[Comparison], texts: Path) -> Section:
    drawn = tuple(Chart(title, spec) for title, spec in arms_charts(found))
    return Section("arms", "Ablations", caption(texts, "arms"), drawn, legend=tuple(arms_styles(found).items()))


def _results(results: Results, found: Sequence[tuple[Comparison, Beside]], texts: Path) -> list[Section]:
    """A section a data set, and one over all of them where there are several."""
    made: list[Section] = []
    for comparison, figures in found:
        name = _table_name(comparison, alone=len(found) == 1)
        table = results_table(comparison, figures, name, _short(texts, "results"), costs(results, comparison))
        made.append(comparison_section(comparison, table, texts, alone=len(found) == 1, first=not made))
    over = transfer_table([comparison for comparison, _ in found], _short(texts, "transfer"))
    tables = (over,) if over else ()
    maps = transfer_charts([comparison for comparison, _ in found]) if over else []
    drawn = tuple(Chart(title, spec) for title, spec in maps)
    return [Section("transfer", "Over all data sets", caption(texts, "transfer"), drawn, tables), *made]


def _table_name(comparison: Comparison, alone: bool) -> str:
    """What the main table of a data set is called, and its section with it."""
    return "results" if alone else f"results-{comparison.dataset.short_name}"


def _numbers(
    results: Results, sections: Sequence[Section], verdicts: Sequence[JudgedClaim], texts: Path, out: Path
) -> Section:
    """What is behind every number of all other sections, and of the claims at the head."""
    found = [*behind_tables(table for each in sections for table in each.tables), *(each.behind for each in verdicts)]
    inside = opened(results, (each for each in found if each), out)
    return Section("numbers", "Numbers", caption(texts, "numbers"), opened=inside)


def _reproduction(found: Sequence[Reproduced], texts: Path) -> Section:
    tables = (reproduction_table(found, _short(texts, "reproduction")),) if found else ()
    return Section("reproduction", "Published figures to reproduce", caption(texts, "reproduction"), tables=tables)


def _elsewhere(found: Sequence[tuple[Comparison, Beside]], published: list[Published], texts: Path) -> Section:
    table = elsewhere_table([comparison for comparison, _ in found], published, _short(texts, "published"))
    return Section("published", "Published elsewhere", caption(texts, "published"), tables=(table,) if table else ())


def _ranks(found: Sequence[Comparison], texts: Path) -> Section:
    tables = ranks_tables(found, _short(texts, "ranks"))
    return Section("ranks", "Order of the methods", caption(texts, "ranks"), tables=tables)


def _pairs(found: Sequence[tuple[Comparison, Sequence[Pair]]], texts: Path) -> Section:
    tables = pairs_tables(found, _short(texts, "pairs"))
    words = f"Show {'the table' if len(tables) == 1 else f'{len(tables)} tables'} of differences and tests"
    return Section("pairs", "Pairs of rows", caption(texts, "pairs"), tables=tables, fold=words)


def _classes(found: Sequence[Sequence[Confusions]], texts: Path) -> Section:
    tables = class_tables(found, _short(texts, "classes"))
    words = f"Show {len(tables)} tables of classes and confusions"
    return Section("classes", "Classes", caption(texts, "classes"), tables=tables, fold=words)


def _details(results: Results, texts: Path, out: Path) -> list[Section]:
    """All sections after the main one."""
    found = searches(results)
    chosen = {search.key: search.best.params for search in found if search.best}
    settings = settings_table(results, chosen, _short(texts, "settings"))
    timings = timings_table(results, _short(texts, "timings"))
    jobs = jobs_table(results, _short(texts, "jobs"), out)
    read = curves(results, [*TRAINING, *SCORES, *COLLAPSE])
    training, collapse = curve_sections(read, texts)
    return [
        data_section(results, texts),
        Section("settings", "Settings", caption(texts, "settings"), tables=(settings,) if settings.rows else ()),
        training,
        scores_section(results, read, texts),
        collapse,
        tuning_section(found, tuning_table(found, _short(texts, "tuning")), texts),
        pictures_section(results, texts),
        Section("timings", "Timings", caption(texts, "timings"), tables=(timings,)),
        Section("jobs", "Jobs", caption(texts, "jobs"), tables=(jobs,), fold=f"Show all {len(jobs.rows)} jobs"),
    ]


def _short(texts: Path, name: str) -> str:
    """The first paragraph of a caption: what goes above a table on its own."""
    return caption(texts, name)[0]


def _write_table(table: Table, folder: Path) -> None:
    for ending, text in (("tex", to_latex(table)), ("md", to_markdown(table)), ("csv", to_csv(table))):
        write_text(folder / f"{table.name}.{ending}", text)
