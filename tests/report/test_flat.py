"""The table of records."""

from pathlib import Path

import pandas
import pytest
from report_tools import FakeStudy, full_study

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.report.flat import write_frame
from pipelines.report.study import load_results
from pipelines.stages import collect


def collected(folder: Path, plan: Path) -> pandas.DataFrame:
    collect.run(plan, folder, folder / "out")
    return pandas.read_parquet(folder / "out" / "records.parquet")


def test_one_row_a_planned_job_with_missing_ones(tmp_path: Path) -> None:
    plan = full_study(tmp_path, seeds=3)
    frame = collected(tmp_path, plan)
    assert list(frame["key"]) == [job["key"] for job in read_json(plan)["jobs"]]
    missing = frame[frame["state"] == "missing"]
    assert sorted(missing["label"]) == ["moco_v2_ft_tuned"] * 3 + ["simclr"]
    assert missing["seconds"].isna().all()


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    frame = collected(tmp_path, full_study(tmp_path, seeds=1))
    csv = pandas.read_csv(tmp_path / "out" / "records.csv")
    assert list(csv.columns) == list(frame.columns)
    assert csv["metrics.test/top1"].equals(frame["metrics.test/top1"])
    row = frame[frame["key"] == "simclr-fashion_mnist-s0-p"].iloc[0]
    assert (row["derived.lr"], row["seed"], row["source"], row["versions.torch"]) == (0.03, 0, "pretrain", "2.15.0")


def test_a_derived_column_of_numbers_and_text_becomes_text(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("pretrain", "a", "x", {}, derived={"precision": "bfloat16", "steps": 10})
    fake.job("pretrain", "b", "y", {}, derived={"precision": 32, "steps": 20.5})
    frame = collected(tmp_path, fake.save())
    assert list(frame["derived.precision"]) == ["bfloat16", "32"]
    assert list(frame["derived.steps"]) == [10.0, 20.5]


def test_same_bytes_twice(tmp_path: Path) -> None:
    plan = full_study(tmp_path, seeds=1)
    texts = []
    for _ in range(2):
        collected(tmp_path, plan)
        texts.append([(tmp_path / "out" / name).read_bytes() for name in ("records.csv", "records.parquet")])
    assert texts[0] == texts[1]


def test_a_record_of_another_job_is_refused(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("pretrain", "a", "x", {}, seconds=1.0)
    path = fake.folder("pretrain", "a") / "record.json"
    write_json(path, read_json(path) | {"key": "b"})
    with pytest.raises(InputError, match="is the record of pretrain b, not of pretrain a"):
        load_results(fake.save(), tmp_path)


def test_a_plan_without_jobs_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "plan.json", {"study": "x", "question": "?"})
    with pytest.raises(InputError, match=r"plan\.json: jobs is missing"):
        load_results(tmp_path / "plan.json", tmp_path)


def test_a_text_that_a_spreadsheet_would_run_is_marked_in_the_csv_alone(tmp_path: Path) -> None:
    text = "=HYPERLINK(0)"
    csv, parquet = write_frame(pandas.DataFrame({"key": [text, "a"], "value": [-1.5, None]}), tmp_path)
    assert csv.read_text() == "key,value\n'=HYPERLINK(0),-1.5\na,\n"
    assert pandas.read_parquet(parquet)["key"].tolist() == [text, "a"]
