"""Every number of the leaderboard leads to its records and to the commands that make it."""

import re
from pathlib import Path

import pytest
from report_tools import FakeStudy, full_study

from pipelines.report.behind import Behind, behind
from pipelines.report.comparison import comparisons
from pipelines.report.results import results_table
from pipelines.report.study import load_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Behind]:
    results = load_results(full_study(folder), folder)
    (comparison,) = comparisons(results)
    made = behind(results, [("results", comparison)], folder / "fake")
    table = results_table(comparison, {}, "results", "caption")
    linked = [entry.behind for row in table.rows for entry in row if entry.behind]
    assert sorted(linked) == sorted(each.anchor for each in made)
    assert all(table.rows[0][0].text != each.place for each in made)
    return {each.place: each for each in made}


def test_seeds_have_their_values_and_their_records(found: dict[str, Behind], folder: Path) -> None:
    cell = found["fashion_mnist · moco_v2 · kNN (k 20)"]
    values = [float(seed.text.removesuffix(" %")) for seed in cell.seeds]
    assert [seed.seed for seed in cell.seeds] == [0, 1, 2]
    assert float(cell.text.split()[0]) == pytest.approx(sum(values) / 3, abs=0.06)
    assert all((folder / "fake" / seed.address).resolve().is_file() for seed in cell.seeds)


def test_what_is_missing_is_named_without_a_link(found: dict[str, Behind]) -> None:
    cell = found["fashion_mnist · simclr · linear probe"]
    assert [(seed.text, seed.address != "") for seed in cell.seeds][2] == ("missing", False)


def test_commands_name_every_job_once_in_the_order_of_the_stages(found: dict[str, Behind]) -> None:
    lines = found["fashion_mnist · moco_v2_tuned · kNN (k 20)"].commands
    assert [line.split()[3] for line in lines] == ["tune", "pretrain", "evaluate"]
    keys = re.findall(r"jobs/\w+/(\S+)", " ".join(lines))
    assert len(keys) == len(set(keys)) == 7


def test_no_command_names_a_folder_of_this_machine(found: dict[str, Behind], folder: Path) -> None:
    lines = [line for each in found.values() for line in each.commands]
    assert not any(str(folder) in line for line in lines)
    words = [word for line in lines for word in line.split()[5:]]
    assert words
    assert all(word.startswith('"$RESULTS"/jobs/') for word in words)


def test_floors_have_no_pretraining_and_a_single_measurement_no_seed(found: dict[str, Behind]) -> None:
    pixels = found["fashion_mnist · raw pixels · kNN (k 20)"]
    assert [seed.seed for seed in pixels.seeds] == [None]
    assert not any("pretrain" in line for line in pixels.commands)


def test_a_number_that_is_none_says_so(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.evaluate("raw pixels", "pixels", 0, {"use": "digits"}, {"knn": {"test/top1": None}})
    results = load_results(study.save(), tmp_path)
    (cell, _) = behind(results, [("results", comparisons(results)[0])], tmp_path / "fake")
    assert cell.seeds[0].text == "no finite number"
