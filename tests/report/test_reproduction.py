"""Published figures against made-up records: verdicts, exit codes, the report's section and a declared table.

The accuracies are invented and stand only here; nothing of it is a measurement.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_tools import answered, numbers_of, planned
from scipy import stats

from pipelines.cli import main
from pipelines.report.build import build_report
from pipelines.report.comparison import comparisons
from pipelines.report.reproduction import Reproduced, counted, reproduced
from pipelines.report.results import beside, results_table
from pipelines.report.study import load_results
from pipelines.spec.published import load_published

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Is it as good as published?
name: study
dataset: {use: cifar10, holdout: 0.02}
encoder: {use: resnet, depth: 18, stem: small}
methods: [{recipe: byol/cifar}, {recipe: vicreg/cifar}, {recipe: dino/cifar}, {recipe: swav/cifar}]
seeds: [0, 1, 2]
floors: false
evaluation: [{use: linear}]
reproduces:
  - {method: byol, published: solo-learn.cifar10.byol, within: 0.5, differs: [online, features, holdout]}
  - {method: vicreg, published: solo-learn.cifar10.vicreg, within: 0.5, differs: [online, features, holdout]}
  - {method: dino, published: solo-learn.cifar10.dino, within: 0.5, differs: [online, features, holdout]}
  - {method: swav, published: solo-learn.cifar10.swav, within: 0.5, differs: [online, features, holdout]}
tables:
  - {name: published_ones, caption: C., rows: methods, columns: [linear, {reproduces: linear}]}
"""
IMAGES = 10_000
RIGHT = {"byol": (9250, 9258, 9266), "vicreg": (8800, 8810, 8790), "dino": (8920, 8990, 8960), "swav": (8917, 8917)}
"""Of so many images, one number a seed: near its figure, far below, across a bound, and one seed missing."""


def finished(folder: Path, right: dict[str, tuple[int, ...]]) -> Path:
    """A results folder with these evaluations done; the study's file. The same images are hard for every seed."""
    plan = json.loads(planned(folder, STUDY).read_text())
    order = np.random.default_rng(0).permutation(IMAGES)
    for job in plan["jobs"]:
        counts = right.get(job["label"], ())
        if job["stage"] == "evaluate" and job["spec"]["seed"] < len(counts):
            correct = np.zeros(IMAGES, dtype=bool)
            correct[order[: counts[job["spec"]["seed"]]]] = True
            answered(folder, job, correct)
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("results")
    finished(made, RIGHT)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Reproduced]:
    results = load_results(folder / "study" / "plan.json", folder)
    return {each.plan.label: each for each in reproduced(results, comparisons(results))}


def test_verdicts_of_four_rows(found: dict[str, Reproduced]) -> None:
    verdicts = {label: each.verdict for label, each in found.items()}
    assert verdicts == {"byol": "reproduced", "vicreg": "not reproduced", "dino": "not settled", "swav": "not run"}
    assert counted(list(found.values())) == "1 reproduced, 1 not reproduced, 1 not settled, 1 not run"


def test_the_difference_counts_seeds_alone_as_both_are_of_the_same_images(found: dict[str, Reproduced]) -> None:
    byol = found["byol"]
    assert byol.difference == pytest.approx(92.58 - 92.58)
    assert byol.cell.estimate is not None
    assert byol.cell.estimate.counts == "seeds and images"
    half = stats.t.ppf(0.975, 2) * 0.08 / 3**0.5  # 92.50, 92.58 and 92.66
    assert [float(end) for end in byol.interval.strip("[]").split(", ")] == pytest.approx([-half, half], abs=0.006)


def test_a_missing_seed_leaves_a_row_open_however_near_its_mean_is(found: dict[str, Reproduced]) -> None:
    swav = found["swav"]
    assert swav.difference == pytest.approx(0.0)
    assert [job.stage for job in swav.lacking] == ["evaluate", "pretrain", "shards"]
    assert [job.seed for job in swav.lacking[:2]] == [2, 2]


def test_a_tolerance_below_the_spread_of_single_runs_is_told(found: dict[str, Reproduced]) -> None:
    assert any("twice the spread of single runs" in remark for remark in found["dino"].remarks)
    assert found["byol"].remarks == ()


def test_a_number_that_is_none_is_no_reproduction(tmp_path: Path) -> None:
    file = finished(tmp_path, {"byol": RIGHT["byol"]})
    plan = json.loads((tmp_path / "study" / "plan.json").read_text())
    job = next(job for job in plan["jobs"] if job["stage"] == "evaluate" and job["label"] == "byol")
    record = tmp_path / "jobs" / "evaluate" / job["key"] / "record.json"
    value = json.loads(record.read_text())
    record.write_text(json.dumps(value | {"metrics": {"test/top1": None}, "artifacts": {}, "checksum": None}))
    results = load_results(tmp_path / "study" / "plan.json", tmp_path)
    byol = reproduced(results, comparisons(results))[0]
    assert byol.verdict == "not reproduced"
    assert "1 of 3 seeds gave no finite number" in byol.remarks
    assert file.exists()


@pytest.mark.parametrize(
    ("right", "code"),
    [
        (RIGHT, 3),
        ({**RIGHT, "vicreg": ()}, 4),
        ({}, 4),
        (
            {
                "byol": RIGHT["byol"],
                "vicreg": (9200, 9207, 9214),
                "dino": (8945, 8952, 8959),
                "swav": (8910, 8917, 8924),
            },
            0,
        ),
    ],
)
def test_the_exit_code_says_how_it_stands(
    right: dict[str, tuple[int, ...]], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = finished(tmp_path, right)
    assert main(["check-reproduction", str(file), "--results", str(tmp_path)]) == code
    told = capsys.readouterr().out
    assert "study: 4 published figures: " in told
    assert "  note       the published probe learnt beside the encoder, this one afterwards" in told
    if not right:
        assert told.count("  jobs missing: 3 evaluate, 3 pretrain, 1 shards: ") == 4
        assert told.count("  allowed    ± ") == 4, "what a row has to keep is told before it runs"


def test_a_study_that_names_no_figure_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text("question: Q?\nscale: digits\nmethods: [{recipe: byol}]\n")
    assert main(["check-reproduction", str(file), "--results", str(tmp_path)]) == 1
    assert "names no published figure; add a list under reproduces" in capsys.readouterr().err


def test_the_report_has_a_section_and_a_sentence(folder: Path) -> None:
    out = folder / "study"
    page = build_report(load_results(out / "plan.json", folder), out, REPORTS).read_text()
    sentence = "Of 4 published figures: 1 reproduced, 1 not reproduced, 1 not settled, 1 not run."
    assert sentence in page
    assert "Published figures to reproduce" in page
    assert all(anchor for number, anchor in numbers_of(page) if number.startswith("reproduction"))
    rows = (out / "tables" / "reproduction.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:5]] == ["byol", "vicreg", "dino", "swav"]
    assert "linear, online" in (out / "tables" / "reproduction.md").read_text()


def test_the_report_keeps_online_and_offline_figures_under_headers_of_their_own(tmp_path: Path) -> None:
    study = STUDY[: STUDY.index("reproduces:")].replace("{recipe: vicreg/cifar}", "{recipe: simclr/cifar}")
    results = load_results(planned(tmp_path, study), tmp_path)
    (comparison,) = comparisons(results)
    table = results_table(comparison, beside(comparison, load_published(REPORTS / "published")), "results", "C.")
    assert [name for name in table.header if name.startswith("published")] == [
        "published linear",
        "published linear, online",
    ]
    shown = {row[0].text: [entry.text for entry in row[-2:]] for row in table.rows}
    assert (shown["dino"], shown["simclr"]) == (["–", "89.52"], ["91.0", "–"])


def test_a_declared_table_shows_figure_difference_and_verdict(folder: Path) -> None:
    assert main(["tables", str(folder / "study.yaml"), "--results", str(folder)]) == 0
    text = (folder / "study" / "tables" / "published_ones.md").read_text()
    rows: dict[str, Any] = {line.split("|")[1].strip(): line for line in text.splitlines() if line.count("|") > 4}
    assert "92.58" in rows["byol"]
    assert rows["byol"].rstrip(" |").endswith("reproduced")
    assert rows["swav"].rstrip(" |").endswith("not run")
    assert "| -4.07 |" in rows["vicreg"]
