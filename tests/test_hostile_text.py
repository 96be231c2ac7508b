"""Names, labels, captions and questions of a study are data: none breaks out of a page, a LaTeX table, a CSV or a path."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from report_tools import FakeStudy

from pipelines.errors import InputError
from pipelines.report import build
from pipelines.report.index import build_index
from pipelines.report.page import _inline
from pipelines.report.siunitx import to_siunitx
from pipelines.report.study import load_results
from pipelines.report.tables import Entry, Table, escape_latex, to_csv, to_markdown
from pipelines.spec.base import Name
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec

TEXTS = Path(__file__).parents[1] / "reports"
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)",
    "</style><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- ", "]]>", "&lt;b&gt;",
    "\\input{/etc/passwd}", "\\end{tabular}\\immediate\\write18{ls}", "a & b \\\\ c", "% gone", "$x$", "^^5cinput",
    '=cmd|"/c calc"!A1', "@SUM(1)", "a,b\nc;d", '"quoted"',
    "javascript:alert(1)", "\u202egnp.exe", "\u2028", "a\u0300\u0301",
]  # fmt: skip
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


class Elements(HTMLParser):
    """All tags of a page with the names of their attributes, and the values of those that can run or load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        risky = [f"{name}={value}" for name, value in attrs if name.startswith("on") or name in ("href", "src")]
        self.found.append((tag, *(name for name, _ in attrs), *(each for each in risky if "data:image" not in each)))


def page(folder: Path, texts: list[str]) -> tuple[Elements, str]:
    """The report and the index of a study whose question, labels, data set and caption say these texts."""
    fake = FakeStudy(folder)
    for number, text in enumerate(texts):
        data = {"use": "digits"}
        before = len(fake.jobs)
        key = fake.job("pretrain", f"p{number}", "x", {"seed": 0}, metrics={"final/train/loss": 1.0}, flags=[text])
        fake.evaluate(f"method{number}", "pretrain", 0, data, {"knn": {"test/top1": 0.5}}, {"weights": key})
        label = "".join(letter if letter.isprintable() else "?" for letter in text)  # planning lets only names through
        fake.jobs[before:] = [job | {"label": label} for job in fake.jobs[before:]]
    plan = fake.save(" ".join(texts))
    with pytest.MonkeyPatch.context() as patch:  # pictures hold the same texts, as text, and take long
        patch.setattr(build, "write_figures", lambda sections, folder: [])
        build.build_report(load_results(plan, folder), plan.parent, TEXTS)
    index = build_index(folder, TEXTS / "templates").read_text(encoding="utf-8")
    text = (plan.parent / "report.html").read_text(encoding="utf-8")
    return Elements(re.sub(r"behind-[0-9a-f]{12}", "behind", text + index)), text


@pytest.mark.slow
def test_a_page_of_hostile_texts_has_the_elements_of_one_of_plain_texts(tmp_path):
    hostile, text = page(tmp_path / "hostile", HOSTILE)
    plain, _ = page(tmp_path / "plain", [f"method{number}" for number in range(len(HOSTILE))])
    assert hostile.found == plain.found
    assert "49" not in re.findall(r"\b49\b", text.split("<script")[0].split("</style>")[-1])


@given(TEXT)
def test_what_stands_in_a_script_is_the_text_and_ends_no_script(text):
    inside = _inline([text])
    assert "<" not in inside
    assert json.loads(inside) == [text]


@given(TEXT)
def test_latex_keeps_only_commands_of_its_own(text):
    escaped = escape_latex(text)
    bare = re.sub(r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[SP]\{\}|\\[&%$#_{}]", "", escaped)
    bare = (
        re.sub(r"\$(\\pm|\\times|-|\\leq|\\alpha|\\cdot|\\dagger|\\ddagger)\$", "", bare)
        .replace("-{}", "-")
        .replace("{[}", "")
        .replace("{]}", "")
    )
    assert not re.search(r"[\\&%$#_{}~^]", bare), escaped


@given(st.lists(TEXT, min_size=2, max_size=2))
def test_a_row_stays_one_row_with_its_columns(texts):
    table = Table("t", texts[0], ("a", "b"), (tuple(Entry(text) for text in texts),))
    lines = to_siunitx(table, "by a test").split("\n")
    assert lines.index(r"\bottomrule") == lines.index(r"\midrule") + 2
    assert len(re.findall(r"(?<!\\)&", lines[lines.index(r"\midrule") + 1])) == 1
    row = to_markdown(table).split("\n")[-2]
    assert "<" not in row
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    rows = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert [len(row) for row in rows] == [2, 2]


@given(TEXT)
def test_no_name_of_a_study_or_a_job_leaves_its_folder(text):
    try:
        name = TypeAdapter(Name).validate_python(text)
    except ValidationError:
        name = ""
    try:
        key = Job.of(text, ShardsSpec(dataset=Digits()), {}).key
    except InputError:
        key = ""
    for each in filter(None, (name, key)):
        assert (Path("results") / each).name == each
        assert not re.search(r"[\s/\\<>&\"'$`;|*?]", each)
