"""The report's tables as LaTeX: whatever the study, they fit the page of a plain article."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_tools import finish, planned

from pipelines.report.build import UNPRINTED
from pipelines.report.latex_columns import Signs, columns_of
from pipelines.report.latex_layout import layouts
from pipelines.report.latex_pages import pages_of
from pipelines.report.latex_widths import TEXT_HEIGHT, TEXT_WIDTH, broken, points
from pipelines.report.material import Material
from pipelines.report.printing import printed
from pipelines.report.sections import claims, pairs, published, ranks, results, timings, transfer
from pipelines.report.siunitx import PACKAGES, to_siunitx
from pipelines.report.study import load_results
from pipelines.report.tables import Entry, Printed, Table

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: How?
name: largest
datasets:
  - {use: digits, image_size: 16}
  - {use: mnist_5k, image_size: 16, role: target}
  - {use: fashion_mnist, limit: 2000, image_size: 16, role: target}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [METHODS]
seeds: [0, 1, 2, 3, 4, 5]
training: {epochs: 2, batch_size: 32}
evaluation: [{use: knn}, {use: linear}, {use: few_shot, shots: [1]}, {use: finetune}]
claims:
  - {text: A method with a long name is better than raw pixels of which nothing was learnt., first: feature_transform_both_01,
     second: {floor: pixels}, metric: knn, source: "A long name of a source, with a year and a number, 2021"}
"""
METHODS = ", ".join(
    f"{{use: moco, queue_size: 64, momentum: {1 - 0.01 * number:g}, label: feature_transform_both_{number:02d}}}"
    for number in range(1, 21)
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    """Of twenty methods, four protocols and three data sets, with made-up records."""
    folder = tmp_path_factory.mktemp("largest")
    plan = planned(folder, STUDY.replace("METHODS", METHODS))
    for number, job in enumerate(json.loads(plan.read_text())["jobs"]):
        level = 0.5 + 0.04 * (number % 11) + 0.001 * (number % 7)
        named = {"test/top1": level, "test/1_shot": level - 0.2}
        flags = ["collapsed"] if number % 17 == 0 else []
        finish(
            folder,
            job,
            metrics=named if job["stage"] == "evaluate" else {"data/train": 1437},
            flags=flags,
            seconds=700.0,
        )
    material = Material(load_results(plan, folder), REPORTS, plan.parent)
    files = (claims, pairs, published, ranks, results, timings, transfer)
    found = [table for file in files for section in file.sections(material) for table in section.tables]
    assert {"claims", "published", "timings", "transfer", "results-digits", "pairs-digits", "ranks-mnist_5k"} <= {
        table.name for table in found
    }
    return found


@pytest.mark.slow
def test_the_largest_tables_fit_a_page_by_estimate(tables: list[Table]) -> None:
    for table in map(printed, tables):
        assert table.name.partition("-")[0] not in UNPRINTED
        for blocks in layouts(table, columns_of(table, Signs(table))):
            assert all(block.width <= TEXT_WIDTH for block in blocks), table.name
            assert all(page.used <= TEXT_HEIGHT for page in pages_of(table, [blocks], [*table.remarks, *table.notes]))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_the_largest_tables_fit_a_page(tables: list[Table], tmp_path: Path) -> None:
    for table in tables:
        (tmp_path / f"{table.name}.tex").write_text(to_siunitx(table, "by a test"), encoding="utf-8")
    inputs = "\n".join(rf"\input{{{table.name}}}\clearpage" for table in tables)
    (tmp_path / "all.tex").write_text(rf"\documentclass{{article}}{PACKAGES}\begin{{document}}{inputs}\end{{document}}")
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"Overfull.*|Float too large.*", done.stdout)


def lines_of(table: Table) -> list[str]:
    return to_siunitx(table, "by a test").splitlines()


def test_details_of_the_page_are_footnotes_in_a_paper() -> None:
    rows = (
        (
            Entry("a"),
            Entry("71.2 ± 0.4 (6)", detail="[70.1, 72.3]; collapsed 1 of 6", alert=True, marks="a ‡"),
            Entry("1 s"),
        ),
        (Entry("b"), Entry("70.0 (5 of 6)", detail="[1.0, 2.0]"), Entry("2 s")),
        (Entry("c"), Entry("69.0 ± 0.1 (6)", detail="[1.0, 2.0] seeds only"), Entry("3 s")),
        (Entry("d"), Entry("missing (0 of 6)"), Entry("4 s")),
    )
    hidden = Printed("Short.", left_out=1, page_only=("Below a mean stands its interval.",))
    table = Table(
        "t", "Long.", ("row", "kNN", "time"), rows, remarks=("Below a mean stands its interval.",), printed=hidden
    )
    lines = lines_of(table)
    assert r"\caption{Short.}" in lines
    assert r"a & 71.2 & \,$\pm$\,0.4 a\,\textsuperscript{$\ddagger$,A} \\" in lines
    assert r"b & 70.0 & ~{[}1.0, 2.0{]}\,\textsuperscript{B} \\" in lines
    assert r"c & 69.0 & \,$\pm$\,0.1 \\" in lines
    assert r"d & {--} & \,\textsuperscript{C} \\" in lines
    below = lines[lines.index(r"\bottomrule") :]
    assert "Over 6 seeds, unless a footnote says otherwise.\\par" in below
    assert [line.partition(r"\,")[2] for line in below if "superscript" in line] == [
        *(r"collapsed 1 of 6\par", r"5 of 6 seeds\par", r"not run yet\par"),
    ]


def test_what_the_first_column_repeats_stands_above_its_rows_and_sentences_stand_below() -> None:
    rows = tuple((Entry(stage), Entry(kind), Entry("A sentence."), Entry("1.0")) for stage in "ab" for kind in "xyz")
    table = Table(
        "t", "c", ("stage", "kind", "source", "value"), rows, text_columns=3, printed=Printed(keys=2, below=(2,))
    )
    lines = lines_of(table)
    assert r"kind & \multicolumn{2}{c}{value} \\" in lines
    assert lines.count(r"\multicolumn{3}{@{}l}{\emph{b}} \\") == 1
    assert r"x & 1.0 & \,\textsuperscript{a} \\" in lines
    assert r"\textsuperscript{a}\,A sentence.\par" in lines


def test_a_wide_table_is_cut_into_blocks_that_name_their_rows_and_a_long_one_into_pages() -> None:
    header = ("method", *(f"protocol{number}" for number in range(16)))
    rows = tuple((Entry(f"row{number}"), *[Entry("71.2 ± 0.4")] * 16) for number in range(70))
    groups = (("", 1), ("one", 8), ("other", 8))
    text = to_siunitx(Table("t", "c", header, rows, groups), "by a test")
    assert text.count(r"\caption{c}") == text.count(r"\label{") == 1
    assert text.count(r"\caption[]{(continued)}") == text.count(r"\begin{table}") - 1 > 2
    assert text.count("row7 &") == text.count("row69 &") > 2
    assert text.count("71.2 &") == 70 * 16


def test_a_size_is_chosen_with_which_a_table_needs_one_page() -> None:
    rows = tuple((Entry(f"row{number}"), Entry("71.2")) for number in range(38))
    text = to_siunitx(Table("t", "c", ("method", "kNN"), rows), "by a test")
    assert text.count(r"\begin{table}") == 1
    assert r"\small" in text


def test_widths_are_those_of_computer_modern_and_titles_are_broken_at_spaces() -> None:
    assert points("0123456789") == pytest.approx(50, abs=0.2)
    assert points("é") == points("e")
    assert broken("few-shot, 16 shot", 45) == ("few-shot,", "16 shot")
    assert broken("", 10) == ("",)
