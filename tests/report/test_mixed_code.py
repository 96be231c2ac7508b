"""Tables that mix results of different code say so."""

from pathlib import Path

from report_tools import FakeStudy, finish

from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.mixed import Standings
from pipelines.report.results import results_table
from pipelines.report.study import load_results

A, B, C = "pipelines/a.py", "pipelines/b.py", "pipelines/c.py"


def found(folder: Path, codes: dict[str, dict[str, str]], standing: Standings | None = None) -> Comparison:
    """A method for each entry, whose pretraining was made by that code."""
    fake = FakeStudy(folder)
    for label, code in codes.items():
        fake.run(label, 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
        job = next(job for job in fake.jobs if (job["stage"], job["label"]) == ("pretrain", label))
        (folder / "jobs" / "pretrain" / job["key"] / "record.json").unlink()
        finish(folder, job, code=code, code_digest="d" if code else "")
    (comparison,) = comparisons(load_results(fake.save(), folder), standing or {})
    return comparison


def marks(comparison: Comparison) -> dict[str, str]:
    return {row[0].text: row[1].marks for row in results_table(comparison, {}, "results", "caption").rows}


def test_cells_whose_records_disagree_about_a_file_are_marked(tmp_path: Path) -> None:
    comparison = found(tmp_path, {"one": {A: "1", B: "1"}, "two": {A: "2", C: "1"}, "three": {B: "1"}, "four": {}})
    assert marks(comparison) == {"one": "¶", "two": "¶", "three": "", "four": ""}
    (remark,) = [text for text in results_table(comparison, {}, "results", "caption").remarks if "mixes codes" in text]
    assert A in remark
    assert B not in remark


def test_files_that_only_some_name_are_no_disagreement(tmp_path: Path) -> None:
    comparison = found(tmp_path, {"one": {A: "1", B: "1"}, "two": {A: "1", C: "1"}})
    assert marks(comparison) == {"one": "", "two": ""}
    assert not comparison.codes.files


def test_results_of_earlier_code_are_marked_unless_accepted(tmp_path: Path) -> None:
    keys = {label: ("pretrain", f"{label}-digits-s0-p") for label in ("one", "two", "three", "four")}
    standing: Standings = dict(zip(keys.values(), ("changed", "accepted", "same", "unknown"), strict=True))
    comparison = found(tmp_path, {label: {A: "1"} for label in keys}, standing)
    assert marks(comparison) == {"one": "*", "two": "", "three": "", "four": "*"}
    remarks = results_table(comparison, {}, "results", "caption").remarks
    assert "Records of earlier code that somebody accepted as they stand: 1." in remarks


def test_a_difference_that_somebody_accepted_is_no_mix(tmp_path: Path) -> None:
    standing: Standings = {("pretrain", "one-digits-s0-p"): "accepted", ("pretrain", "two-digits-s0-p"): "same"}
    comparison = found(tmp_path, {"one": {A: "1"}, "two": {A: "2"}}, standing)
    assert marks(comparison) == {"one": "", "two": ""}
    assert comparison.codes.accepted == 1


def test_where_every_cell_is_of_earlier_code_one_sentence_says_so(tmp_path: Path) -> None:
    standing: Standings = {("pretrain", f"{label}-digits-s0-p"): "changed" for label in ("one", "two")}
    comparison = found(tmp_path, {label: {A: "1"} for label in ("one", "two")}, standing)
    assert marks(comparison) == {"one": "", "two": ""}
    (remark,) = [
        text for text in results_table(comparison, {}, "results", "caption").remarks if "changed since" in text
    ]
    assert remark.startswith("Behind every cell is a record")
