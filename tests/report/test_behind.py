"""Every number of the page leads to its records and to the commands that make it."""

import re
from pathlib import Path

import pytest
from report_tools import FakeStudy, full_study

from pipelines.report.comparison import comparisons
from pipelines.report.costs import costs
from pipelines.report.opened import Opened, behind_tables, opened
from pipelines.report.pairs import pairs, pairs_tables
from pipelines.report.results import results_table
from pipelines.report.sensitivity import ranks_tables
from pipelines.report.study import Results, load_results
from pipelines.report.summary import timings_table
from pipelines.report.tables import Table
from pipelines.report.tuning import searches, tuning_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def made(folder: Path) -> tuple[Results, list[Table]]:
    """The study and the tables of its page that are made of its leaderboard."""
    results = load_results(full_study(folder), folder)
    (comparison,) = comparisons(results)
    cost = costs(results, comparison)
    return results, [
        results_table(comparison, {}, "results", "caption", cost),
        *ranks_tables([comparison], "caption"),
        *pairs_tables([(comparison, list(pairs(comparison)))], "caption"),
        tuning_table(searches(results), "caption"),
        timings_table(results, "caption"),
    ]


@pytest.fixture(scope="module")
def found(made: tuple[Results, list[Table]], folder: Path) -> dict[str, Opened]:
    """Place -> what is behind it, without what the place's number says."""
    results, tables = made
    entries = opened(results, behind_tables(tables), folder / "fake")
    return {each.place.partition(":")[0]: each for each in entries}


def test_every_number_of_these_tables_leads_to_an_entry_of_the_page(
    made: tuple[Results, list[Table]], found: dict[str, Opened]
) -> None:
    anchors = [each.anchor for each in found.values()]
    assert len(anchors) == len(set(anchors))
    numbers = [entry for table in made[1] for row in table.rows for entry in row[table.text_columns :]]
    measured = [entry for entry in numbers if any(map(str.isdigit, entry.text))]
    assert {entry.behind.anchor if entry.behind else entry.text for entry in measured} <= set(anchors)
    named = {anchor for each in found.values() for anchor, _ in each.parts}
    assert named <= set(anchors)


def test_seeds_have_their_values_and_their_records(found: dict[str, Opened], folder: Path) -> None:
    cell = found["fashion_mnist · moco_v2 · kNN (k 20)"]
    values = [float(seed.text.removesuffix(" %")) for seed in cell.jobs]
    assert [seed.seed for seed in cell.jobs] == [0, 1, 2]
    assert float(cell.place.partition(": ")[2].split()[0]) == pytest.approx(sum(values) / 3, abs=0.06)
    assert all((folder / "fake" / seed.address).resolve().is_file() for seed in cell.jobs)


def test_what_is_missing_is_named_without_a_link(found: dict[str, Opened]) -> None:
    cell = found["fashion_mnist · simclr · linear probe"]
    assert [(seed.text, seed.address != "") for seed in cell.jobs][2] == ("missing", False)


def test_commands_name_every_job_once_in_the_order_of_the_stages(found: dict[str, Opened]) -> None:
    lines = found["fashion_mnist · moco_v2_tuned · kNN (k 20)"].commands
    assert [line.split()[3] for line in lines] == ["tune", "pretrain", "evaluate"]
    keys = re.findall(r"jobs/\w+/(\S+)", " ".join(lines))
    assert len(keys) == len(set(keys)) == 7


def test_no_command_names_a_folder_of_this_machine(found: dict[str, Opened], folder: Path) -> None:
    lines = [line for each in found.values() for line in each.commands]
    assert not any(str(folder) in line for line in lines)
    words = [word for line in lines for word in line.split()[5:]]
    assert words
    assert all(word.startswith('"$RESULTS"/jobs/') for word in words)


def test_floors_have_no_pretraining_and_a_single_measurement_no_seed(found: dict[str, Opened]) -> None:
    pixels = found["fashion_mnist · raw pixels · kNN (k 20)"]
    assert [seed.seed for seed in pixels.jobs] == [None]
    assert not any("pretrain" in line for line in pixels.commands)


def test_a_number_that_is_none_says_so(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.evaluate("raw pixels", "pixels", 0, {"use": "digits"}, {"knn": {"test/top1": None}})
    results = load_results(study.save(), tmp_path)
    table = results_table(comparisons(results)[0], {}, "results", "caption")
    (cell, _) = opened(results, behind_tables([table]), tmp_path / "fake")
    assert cell.jobs[0].text == "no finite number"
