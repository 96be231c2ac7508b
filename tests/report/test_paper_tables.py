"""Declared tables filled from records: numbers, gains, ranks, published figures, and cells that are not run."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from report_tools import finish, planned

from pipelines.cli import main
from pipelines.report.latex_columns import letter
from pipelines.report.measured import StudyNumbers
from pipelines.report.paper_tables import Filled, filled
from pipelines.report.study import load_results, results_of
from pipelines.spec.plan import plan_file
from pipelines.spec.published import load_published

REPORTS = Path(__file__).parents[2] / "reports"
PUBLISHED = load_published(REPORTS / "published")
STUDY = """
question: How?
name: study
datasets:
  - {use: digits, image_size: 16}
  - {use: mnist_5k, image_size: 16, role: target}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {use: moco, queue_size: 64, label: plain, grid: {momentum: [0.99, 0.5]}}
  - {use: moco, queue_size: 64, label: changed, feature_transform: {}, grid: {momentum: [0.99, 0.5]}}
  - {use: simclr, label: other}
seeds: [0, 1, 2]
training: {epochs: 2, batch_size: 32}
evaluation: [{use: knn}, {use: few_shot, shots: [1, 4]}]
tables:
  - name: momentum
    caption: "Momentum, 5 % & α"
    rows:
      - {method: plain, arms: momentum}
      - {method: changed, arms: momentum, over: plain, group: changed_50}
    columns:
      - {metric: knn, dataset: digits}
      - {gain: knn, dataset: digits, title: gain, digits: 2}
      - {monitor: scores/negative_variance, title: variance}
      - {elsewhere: linear}
  - name: mean_ranks
    caption: Two data sets.
    rows: methods
    columns: [knn, {rank: knn}]
  - name: intervals
    caption: Everything there is.
    spread: interval
    digits: 2
    notes: [A note of one's own.]
"""
LEVELS = {
    "raw pixels": 0.3,
    "plain[momentum=0.99]": 0.5,
    "plain[momentum=0.5]": 0.4,
    "changed[momentum=0.99]": 0.6,
    "other": 0.5504,
}
"""Of what is run; changed at 0.5 is not."""


def values(job: dict[str, Any]) -> dict[str, float]:
    """Made-up metrics: a level a row, half a point more a seed, ten points less on the second data set."""
    level = LEVELS[job["label"]] + 0.005 * job["spec"]["seed"]
    level -= 0.1 * (job["spec"]["dataset"]["use"] == "mnist_5k")
    if job["spec"]["evaluation"]["use"] == "knn":
        return {"test/top1": level}
    return {"test/1_shot": level - 0.2, "test/4_shot": level - 0.1}


def run_some(folder: Path, study: str = STUDY) -> Path:
    """A results folder where all of LEVELS is done, but for one seed of ``other`` on digits; the study's file."""
    plan = json.loads(planned(folder, study).read_text())
    for job in plan["jobs"]:
        label, seed = job["label"], job["spec"].get("seed")
        if job["stage"] == "pretrain" and label in LEVELS:
            finish(folder, job, metrics={"final/scores/negative_variance": 0.01 + 0.001 * seed}, seconds=1.0)
        if job["stage"] == "evaluate" and label in LEVELS and (label, seed) != ("other", 2):
            finish(folder, job, metrics=values(job), flags=["collapsed"] if (label, seed) == ("other", 1) else [])
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("results")
    run_some(made)
    return made


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, Filled]:
    measured = StudyNumbers(load_results(folder / "study" / "plan.json", folder), PUBLISHED)
    return {table.name: filled(measured, table) for table in plan_file(folder / "study.yaml").tables}


def texts(found: Filled) -> list[list[str]]:
    return [[entry.text for entry in row] for row in found.table.rows]


def test_means_gains_and_readings(tables: dict[str, Filled]) -> None:
    rows = texts(tables["momentum"])
    assert [row[:4] for row in rows] == [
        ["0.5", "40.5 ± 0.5", "", "0.011 ± 0.001"],
        ["0.99", "50.5 ± 0.5", "", "0.011 ± 0.001"],
        ["0.5", "–", "–", "–"],
        ["0.99", "60.5 ± 0.5", "+10.00 ± 0.00", "0.011 ± 0.001"],
    ]
    assert tables["momentum"].table.sections == ((2, "changed_50"),)
    assert "In percent, mean ± sample standard deviation over 3 seeds." in tables["momentum"].table.remarks


def test_a_published_figure_stands_beside_its_own_setting_with_its_conditions_and_a_mark(
    tables: dict[str, Filled],
) -> None:
    table = tables["momentum"].table
    assert table.header[-4:] == ("linear probe", "data set", "network", "epochs")
    entries = [[entry.text for entry in row[4:]] for row in table.rows]
    assert (
        entries[0] == entries[2] == entries[3] == [""] * 4
    )  # 0.5 was not published, and 56.2 is without transformation
    assert entries[1] == ["56.2", "ImageNet-100", "not stated", "100"]
    figure = table.rows[1][4]
    assert figure.marks == "?"
    assert figure.note is not None
    assert table.notes[figure.note - 1].startswith(
        "feature-transformation (ICCV 2021) plotting notebook, legend (metric"
    )
    assert any(remark.startswith("? Not confirmed") for remark in table.remarks)


def test_a_cell_that_never_ran_says_by_which_commands_it_is_filled(tables: dict[str, Filled], folder: Path) -> None:
    found = tables["momentum"].absent
    assert [(cell.row, cell.place.rpartition(" / ")) for cell in found] == [
        (2, ("changed_50 / 0.5", " / ", title)) for title in ("kNN", "gain", "variance")
    ]
    knn = found[0]
    assert len(knn.keys) == 3
    assert [command.split()[3] for command in knn.commands] == ["shards", "pretrain", "evaluate"]
    for key in knn.keys:
        assert f'"$RESULTS"/jobs/evaluate/{key}' in knn.commands[-1]
        assert not (folder / "jobs" / "evaluate" / key / "record.json").exists()
    assert [command.split()[3] for command in found[2].commands] == ["shards", "pretrain"]


def test_ranks_are_of_rows_that_are_complete_on_every_data_set(tables: dict[str, Filled]) -> None:
    table = tables["mean_ranks"].table
    assert table.groups == (("", 1), ("kNN", 3))
    assert table.header == ("method", "digits", "mnist_5k", "mean rank")
    rows = {row[0].text: row for row in table.rows}
    assert {name: row[3].text for name, row in rows.items()} == {
        "plain[momentum=0.99]": "2.0",
        "plain[momentum=0.5]": "3.0",
        "changed[momentum=0.99]": "1.0",
        "changed[momentum=0.5]": "",
        "other": "",
    }
    partial = rows["other"][1]
    assert partial.text == "55.3 ± 0.4"
    assert partial.note is not None
    assert table.notes[partial.note - 1] == "2 of 3 seeds; collapsed in 1 of 2"


def test_intervals_floors_and_all_numbers(tables: dict[str, Filled]) -> None:
    table = tables["intervals"].table
    assert [row[0].text for row in table.rows][:2] == ["raw pixels", "untrained resnet10w8"]
    assert table.groups[1:] == (("kNN", 2), ("few-shot, 1 shot", 2), ("few-shot, 4 shot", 2))
    row = next(row for row in table.rows if row[0].text == "plain[momentum=0.99]")
    half = 4.302653 * 0.5 / 3**0.5  # Student's t of two degrees of freedom
    assert row[1].text == f"50.50 [{50.5 - half:.2f}, {50.5 + half:.2f}]"
    assert row[3].text.startswith("30.50 [")
    assert table.rows[0][1].text == "30.00"
    assert "In percent, mean over 3 seeds." in table.remarks  # pixels are measured once
    assert "Intervals are of 95 %, over seeds (Student's t)." in table.remarks
    assert "A note of one's own." in table.remarks
    assert (
        len({cell.keys for cell in tables["intervals"].absent if cell.place.startswith("untrained")}) == 4
    )  # of six cells


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    assert main(["tables", str(folder / "study.yaml"), "--results", str(folder)]) == 0
    return folder / "study" / "tables"


def test_every_table_is_there_in_four_forms_and_the_same_bytes_again(written: Path, folder: Path) -> None:
    files = {
        f"{name}.{ending}"
        for name in ("momentum", "mean_ranks", "intervals")
        for ending in ("tex", "md", "csv", "html")
    }
    assert {path.name for path in written.iterdir()} == files
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written.iterdir()}
    assert main(["tables", str(folder / "study.yaml"), "--results", str(folder)]) == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written.iterdir()} == before


def test_latex_aligns_numbers_and_keeps_the_commands_in_comments(written: Path) -> None:
    lines = (written / "momentum.tex").read_text().splitlines()
    assert lines[lines.index("l") + 1 :][:6] == [
        *("S[table-format=2.1]", "@{}l"),
        *("S[table-format=+2.2, retain-explicit-plus]", "@{}l"),
        *("S[table-format=1.3]", "@{}l"),
    ]
    plus = r"\,$\pm$\,"
    assert rf"0.99 & 60.5 & {plus}0.5 & +10.00 & {plus}0.00 & 0.011 & {plus}0.001 \\" in lines
    assert r"0.5 & {--} &  & {--} &  & {--} &  \\" in lines
    assert lines.count(r"\multicolumn{7}{@{}l}{\emph{changed\_50}} \\") == 1
    assert r"\caption{Momentum, 5 \% \& $\alpha$}" in lines
    comments = [line for line in lines if line.startswith("%")]
    assert sum("python -m pipelines evaluate --job" in line for line in comments) == 2
    assert r"\cmidrule(lr){2-6}" in lines


def test_csv_names_the_jobs_and_html_escapes(written: Path) -> None:
    header, *rows = (written / "momentum.csv").read_text().splitlines()
    assert header.startswith("group,momentum,kNN,gain,variance,published elsewhere · linear probe,")
    assert header.endswith("notes,jobs not run")
    assert rows[2].startswith("changed_50,0.5,–,–,–,,,,,")
    assert "-knn-" not in rows[0]  # plain at 0.5, which has the same title
    assert "-knn-" in rows[2]
    for row in rows:
        jobs = row.rpartition(",")[2].split()
        assert len(jobs) == len(set(jobs))
    page = (written / "momentum.html").read_text()
    assert "Momentum, 5 % &amp; α" in page
    assert "3 cells are not run yet" in page
    assert page.count("<tr>") == 2 + 4 + 1


def engines() -> list[str]:
    return [name for name in ("pdflatex", "tectonic") if shutil.which(name)]


@pytest.mark.parametrize("name", ["momentum", "mean_ranks", "intervals"])
def test_it_compiles_as_it_stands(written: Path, name: str, tmp_path: Path) -> None:
    text = (written / f"{name}.tex").read_text()
    bare = re.sub(r"\\[{}%&]", "", text)
    assert bare.count("{") == bare.count("}")
    assert sorted(re.findall(r"\\begin\{(\w+)\}", text)) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    for tabular in text.split(r"\begin{tabular}")[1:]:
        body = [line for line in tabular.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert len({line.replace(r"\&", "").count("&") for line in body}) == 1
    shutil.copy(written / f"{name}.tex", tmp_path)
    for engine in engines():
        more = ["-interaction=nonstopmode", "-halt-on-error"] if engine == "pdflatex" else []
        done = subprocess.run([engine, *more, f"{name}.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:]
        assert (tmp_path / f"{name}.pdf").stat().st_size > 1000
        assert "Overfull" not in done.stdout


def test_a_study_without_records_has_tables_of_dashes_and_one_without_tables_says_so(
    tmp_path: Path, capsys: Any
) -> None:
    planned(tmp_path, STUDY)
    assert main(["tables", str(tmp_path / "study.yaml"), "--results", str(tmp_path)]) == 0
    assert "cells are not run yet" in capsys.readouterr().out
    assert "| 0.5 | – |  | – |" in (tmp_path / "study" / "tables" / "momentum.md").read_text()
    bare = tmp_path / "bare.yaml"
    bare.write_text(STUDY.partition("\ntables:")[0] + "\n")
    assert main(["tables", str(bare), "--results", str(tmp_path)]) == 0
    assert "bare.yaml: declares no tables" in capsys.readouterr().out


EXPERIMENTS = REPORTS.parent / "experiments"
READY = [
    *sorted((EXPERIMENTS / "feature_transformation").glob("*.yaml")),
    *map(EXPERIMENTS.joinpath, ("all_methods.yaml",)),
]
FIGURES = {
    "momentum": {"0.9": "46.5", "0.99": "56.2", "0.999": "53.1", "1.0": "31.2"},
    "sides": {"MoCo v1 without": "60.6", "MoCo v1 both": "61.9", "MoCo v2 without": "67.5", "MoCo v2 both": "69.6"},
    "tuned": {"as released with feature transformation": "69.6", "tuned MoCo v2": "67.5"},
    "all_methods": {"moco_v1": "60.6", "simclr_v2": "71.7", "byol": "74.3", "vicreg": "73.2"},
}
"""Table -> row -> what was published elsewhere: read in reports/published by hand."""


@pytest.mark.parametrize("file", READY, ids=lambda file: file.stem)
def test_the_ready_made_tables_are_filled_and_show_the_figures_of_their_rows(file: Path, tmp_path: Path) -> None:
    made = plan_file(file)
    measured = StudyNumbers(results_of(made.dump(), tmp_path, "the plan"), PUBLISHED)
    for planned_table in made.tables:
        found = filled(measured, planned_table)
        assert found.absent
        place = next((i for i, group in enumerate(spread(found)) if group == "published elsewhere"), None)
        shown = {
            f"{row.group} {row.title}".strip(): entries[place].text
            for row, entries in zip(planned_table.rows, found.table.rows, strict=True)
            if place is not None
        }
        for row, figure in FIGURES.get(planned_table.name, {}).items():
            assert shown[row] == figure
        if planned_table.name == "sides":
            assert shown["MoCo v2 positive"] == shown["MoCo v1 negative"] == shown["SimCLR both"] == ""
    assert made.tables


@pytest.mark.parametrize(("depth", "figure"), [(18, "92.94"), (34, "")])
def test_what_is_published_stands_beside_only_where_data_set_and_network_agree(
    depth: int, figure: str, tmp_path: Path
) -> None:
    study = f"""
question: How?
dataset: {{use: cifar10}}
encoder: {{use: resnet, depth: {depth}, stem: small}}
methods: [{{use: moco, queue_size: 4096}}]
seeds: [0]
training: {{epochs: 1000, batch_size: 256}}
evaluation: [{{use: linear}}]
tables:
  - {{name: beside, caption: Beside., rows: [moco_v2], columns: [linear, {{published: linear}}]}}
"""
    planned(tmp_path, study)
    made = plan_file(tmp_path / "study.yaml")
    (row,) = filled(StudyNumbers(results_of(made.dump(), tmp_path, "the plan"), PUBLISHED), made.tables[0]).table.rows
    assert [entry.text for entry in row] == ["moco_v2", "–", figure]
    assert (row[2].note is not None) == bool(figure)


def spread(found: Filled) -> list[str]:
    return [title for title, span in found.table.groups for _ in range(span)]


def test_footnotes_count_on_after_z() -> None:
    assert [letter(number) for number in (1, 26, 27, 52, 53)] == ["a", "z", "aa", "az", "ba"]
