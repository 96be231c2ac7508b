"""The studies that set rows against published figures: each plans, without its images, and says of each figure what differs."""

import re
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.report.measured import StudyNumbers
from pipelines.report.study import results_of
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.published import PUBLISHED, load_published
from pipelines.spec.recipes import RECIPES
from pipelines.statistics.reproduction import LEAST_SEEDS

FOLDER = RECIPES.parent
STUDIES = sorted(file for file in FOLDER.glob("*.yaml") if "\nreproduces:" in file.read_text())


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {file.stem: plan_file(file) for file in STUDIES}


def test_they_are_the_data_sets_of_the_papers(plans: dict[str, Plan]) -> None:
    assert set(plans) == {
        *("cifar10", "cifar100", "stl10", "imagenet100"),
        *("imagenet1k", "imagenet1k_vit", "imagenet1k_few_labels"),
    }


@pytest.mark.parametrize("name", [file.stem for file in STUDIES])
def test_it_has_seeds_enough_figures_and_tables(name: str, plans: dict[str, Plan]) -> None:
    made = plans[name]
    assert len(made.study.seeds) >= LEAST_SEEDS
    assert made.reproductions
    shown = [column for table in made.tables for column in table.columns if column.kind == "reproduces"]
    for line in made.reproductions:
        assert any(column.shows(line) for column in shown), f"{line.figure.id} stands in no table"
        assert line.figure.confirmed or line.figure.source.startswith("InvaSpread paper"), line.figure.id


def test_few_labels_train_nothing_that_imagenet1k_does_not(plans: dict[str, Plan]) -> None:
    trained = {job.key for job in plans["imagenet1k"].of("pretrain")}
    assert {job.key for job in plans["imagenet1k_few_labels"].of("pretrain")} < trained


def test_detection_trains_nothing_that_imagenet1k_does_not_and_its_table_has_the_figures(
    plans: dict[str, Plan], tmp_path: Path
) -> None:
    made = plan_file(FOLDER / "imagenet1k_detection.yaml")
    assert {job.key for job in made.of("pretrain")} < {job.key for job in plans["imagenet1k"].of("pretrain")}
    numbers = StudyNumbers(results_of(made.dump(), tmp_path, "plan"), load_published(PUBLISHED))
    (table,) = made.tables
    shown = {
        row.label: [
            getattr(numbers.figure(row, each), "value", None) for each in table.columns if each.kind == "published"
        ]
        for row in table.rows
    }
    assert shown["moco_v1"] == [55.9, 81.5, 62.6]
    assert shown["byol"] == [55.3, 81.4, 61.1]
    assert shown["moco_v2_ft"] == [None] * 3


def test_what_a_study_costs_can_be_asked_before_its_images_are_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(FOLDER / "imagenet100.yaml")
    assert main(["plan", file, "--results", str(tmp_path), "--cost"]) == 0
    told = capsys.readouterr().out
    assert "# counted without files: study imagenet100" in told
    hours = re.search(r"#   byol: training (\d+) h", told)
    assert hours
    assert int(hours[1]) < 100, "of 127,000 images; ImageNet's 1.3 million would take ten times as long"
    assert main(["plan", file, "--results", str(tmp_path)]) == 1
    assert "data/imagenet100" in capsys.readouterr().err


def test_an_expected_number_of_images_changes_no_key(tmp_path: Path, plans: dict[str, Plan]) -> None:
    text = (FOLDER / "imagenet100.yaml").read_text()
    file = tmp_path / "imagenet100.yaml"
    file.write_text(text.replace(", expected_images: 127000", ""))
    assert set(plan_file(file).jobs) == set(plans["imagenet100"].jobs)
