"""Sections of the page are found by their folder, with their words beside them."""

import importlib
import shutil
from pathlib import Path

import pytest
from report_tools import FakeStudy

from pipelines.report import sections
from pipelines.report.material import Material
from pipelines.report.study import load_results
from pipelines.spec import kinds

TEXTS = Path(__file__).parents[2] / "reports"
NAMES = kinds.names("pipelines.report.sections")
EXTRA = """
from pipelines.report.section import Section
from pipelines.report.tables import Entry, Table

ORDER = 15

def sections(material):
    words = material.caption("extra")
    table = Table("extra", words[0], ("name",), ((Entry(material.results.study),),))
    yield Section("extra", "Extra", words, tables=(table,), part="leaderboard")
"""


def test_every_section_has_words_and_all_words_but_those_of_the_numbers_a_section() -> None:
    assert {*NAMES, "numbers"} == {path.stem for path in (TEXTS / "captions").glob("*.md")}


def test_no_two_sections_claim_the_same_place() -> None:
    orders = [importlib.import_module(f"pipelines.report.sections.{name}").ORDER for name in NAMES]
    assert len(orders) == len(set(orders))


def test_a_section_is_named_after_its_file(tmp_path: Path) -> None:
    material = Material(load_results(study(tmp_path), tmp_path), TEXTS, tmp_path)
    for name in NAMES:
        for section in importlib.import_module(f"pipelines.report.sections.{name}").sections(material):
            assert section.name.partition("-")[0] == name


def test_two_new_files_are_a_new_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extra.py").write_text(EXTRA)
    shutil.copytree(TEXTS, tmp_path / "reports", ignore=shutil.ignore_patterns("gallery"))
    (tmp_path / "reports" / "captions" / "extra.md").write_text("One more.")
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    material = Material(load_results(study(tmp_path), tmp_path), tmp_path / "reports", tmp_path)
    names = [section.name for section in sections.all_sections(material)]
    assert names[:3] == ["claims", "extra", "transfer"]


def study(folder: Path) -> Path:
    fake = FakeStudy(folder)
    fake.job("shards", "digits-0", "digits", {}, seconds=12.0)
    fake.run("simclr", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    return fake.save()
