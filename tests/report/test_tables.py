"""LaTeX, Markdown and CSV of one table."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.siunitx import to_siunitx
from pipelines.report.tables import Entry, Table, csv_text, escape_latex, to_csv, to_markdown


def table() -> Table:
    rows = (
        (Entry("moco_v2 & co"), Entry("71.23 ± 0.40 (3)", bold=True), Entry("67.5", detail="ImageNet-1k", note=1)),
        (Entry("a|b"), Entry("missing (0 of 3)"), Entry("–")),
    )
    groups = (("", 1), ("fashion_mnist", 2))
    return Table("results", "100 % of #1", ("method", "kNN", "published"), rows, groups, ("source_a: Table 1",))


def test_every_special_character_is_spelt_out() -> None:
    special = "\\&%$#_{}~^"
    escaped = escape_latex(special)
    assert escaped == r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}"
    assert escape_latex("--cost – -1") == "-{}-cost -- -1"
    assert escape_latex("1 ± 2 – [x] α") == r"1 $\pm$ 2 -- {[}x{]} $\alpha$"


def test_latex_lines_have_one_cell_a_column() -> None:
    lines = to_siunitx(table(), "by a test").splitlines()
    body = [line for line in lines if line.endswith(r"\\")]
    for line in body[1:]:
        assert line.replace(r"\&", "").count("&") == 4 - line.count("multicolumn")
    assert r"\multicolumn{1}{c}{} & \multicolumn{4}{c}{fashion\_mnist} \\" in lines
    assert r"moco\_v2 \& co & 71.23 & \,$\pm$\,0.40 & 67.5 & \,\textsuperscript{a} \\" in lines
    assert lines.count(r"\toprule") == lines.count(r"\midrule") == lines.count(r"\bottomrule") == 1
    assert r"\caption{100 \% of \#1}" in lines


def test_latex_braces_and_environments_are_balanced() -> None:
    text = to_siunitx(table(), "by a test")
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert text.count(r"\begin{") == text.count(r"\end{")


def test_markdown_keeps_its_columns_when_a_text_holds_a_pipe() -> None:
    lines = to_markdown(table()).splitlines()
    assert lines[2] == "| method | fashion_mnist · kNN | fashion_mnist · published |"
    assert lines[3] == "| --- | ---: | ---: |"
    assert lines[4] == "| moco_v2 & co | **71.23 ± 0.40 (3)** | 67.5 (ImageNet-1k) [1] |"
    assert lines[5].replace("\\|", "").count("|") == 4
    assert lines[-1] == "1. source_a: Table 1"


def test_csv_reads_back() -> None:
    found = list(csv.reader(io.StringIO(to_csv(table()))))
    assert found[1] == ["moco_v2 & co", "71.23 ± 0.40 (3)", "67.5 (ImageNet-1k)"]
    assert found[2] == ["a|b", "missing (0 of 3)", "–"]


@given(
    st.sampled_from(["", " ", "  "]),
    st.sampled_from(["=", "+", "-", "@", "\t", "-2+", "+1-"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(lambda text: f"cmd|{text}"),
)
def test_no_cell_of_a_csv_begins_as_a_formula(blanks: str, sign: str, rest: str) -> None:
    text = f"{blanks}{sign}{rest}"
    ((cell, plain),) = csv.reader(io.StringIO(csv_text([[text, "a"]]), newline=""))
    assert (cell, plain) == ("'" + text.replace("\r", " "), "a")


@pytest.mark.parametrize(
    "text", ["-0.35", "+1.20 ± 0.40 (3)", "-1.0 [-2.0, 0.5]", "-0.4 points [-2.4, 1.6]", "-1e-05", "–", "a=b", ""]
)
def test_signed_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert next(csv.reader(io.StringIO(csv_text([[text, "a"]])))) == [text, "a"]
