"""What is missing, and how to make it."""

import shlex
from pathlib import Path

import pytest
from report_tools import FakeStudy

from pipelines.report.missing import missing
from pipelines.report.study import load_results
from pipelines.stages import report

REPORTS = Path(__file__).parents[2] / "reports"


def test_each_stage_says_how_many_and_by_which_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fake = FakeStudy(Path("with space"))
    for key in ("s0", "s1"):
        fake.job("shards", key, "digits", {})
    fake.run("simclr", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    fake.run("simclr", 1, {"use": "digits"}, {})
    found = missing(load_results(fake.save(), fake.results))
    assert [(each.stage, each.count, each.planned) for each in found] == [("shards", 2, 2), ("evaluate", 3, 4)]
    assert [len(each.commands) for each in found] == [2, 1]
    words = shlex.split(found[1].commands[0])
    assert words[:5] == ["python", "-m", "pipelines", "evaluate", "--job"]
    names = ("simclr-digits-s0-linear", "simclr-digits-s1-knn", "simclr-digits-s1-linear")
    assert words[5:] == [str(fake.folder("evaluate", name)) for name in names]


def test_the_page_says_it_at_the_top_and_a_whole_study_says_nothing(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    report.run(fake.save(), tmp_path, tmp_path / "out", REPORTS)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "evaluate: 1 of 2 jobs have no record." in text
    assert "<code>python -m pipelines repair " in text
    assert text.index("1 of 2 jobs") < text.index("<dt>jobs</dt>")
    fake.jobs = fake.jobs[:2]
    assert missing(load_results(fake.save(), tmp_path)) == []
