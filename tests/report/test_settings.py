"""Settings as differences."""

from pathlib import Path

from report_tools import FakeStudy, planned

from pipelines.report.settings import settings_table
from pipelines.report.study import load_results
from pipelines.report.tables import Table

DATASET = {"use": "digits"}
STILL = {"augmentations": [{"count": 2, "flip": 0.0, "blur": 0.0}]}


def table(folder: Path, fake: FakeStudy, tuned: dict[str, dict[str, float]] | None = None) -> Table:
    return settings_table(load_results(fake.save(), folder), tuned or {}, "caption")


def test_a_row_names_its_recipe_and_only_what_the_study_overrules_in_it(tmp_path: Path) -> None:
    study = """
question: How?
name: study
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {recipe: moco_v2_ft/small}
  - {recipe: moco_v2/small, label: other, temperature: 0.2, grid: {momentum: [0.99, 0.9]}, training: {epochs: 3},
     views: {blur: 0.5}}
  - {use: simclr, feature_transform: {start_epoch: 1.0}}
ceiling: false
seeds: [0]
evaluation: [{use: knn}]
"""
    found = settings_table(load_results(planned(tmp_path, study), tmp_path), {}, "caption")
    rows = {row[0].text: [entry.text for entry in row[2:6]] for row in found.rows}
    assert rows["moco_v2_ft"] == ["moco_v2_ft/small", "as the recipe", "–", "as the recipe"]
    overruled = "epochs 3 instead of 12 · views blur not 0"
    assert rows["other[momentum=0.99]"] == ["moco_v2/small", "temperature 0.2", "–", overruled]
    assert rows["other[momentum=0.9]"][1] == "temperature 0.2 · momentum 0.9"
    recipe, options, *_ = rows[next(label for label in rows if label.startswith("simclr"))]
    assert recipe == "–"
    assert "feature_transform on · feature_transform.start_epoch 1" in options
    assert "granularity" not in options
    assert found.remarks[0].startswith("Shared, unless a row or its recipe says otherwise: ")


def test_what_all_share_stands_once_and_rows_name_what_differs(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    for label in ("a", "b"):
        fake.run(label, 0, DATASET, {}, method={"use": "simsiam"}, views=STILL)
    fake.run("c", 0, DATASET, {}, method={"use": "moco", "temperature": 0.1, "queue_size": 512}, epochs=40, views=STILL)
    found = table(tmp_path, fake)
    assert [[entry.text for entry in row][3:6] for row in found.rows] == [
        ["defaults", "–", "as shared"],
        ["defaults", "–", "as shared"],
        ["temperature 0.1 · queue_size 512 · views.blur 0", "–", "epochs 40"],
    ]
    (shared,) = found.remarks
    assert "epochs 20 · batch_size 256 · optimizer sgd" in shared
    assert "encoder.width 16" in shared
    assert shared.endswith("views.flip 0.")


def test_a_method_s_version_brings_its_own_defaults(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("moco_v1", 0, DATASET, {}, method={"use": "moco", "version": 1})
    (row,) = table(tmp_path, fake).rows
    assert "temperature" not in row[3].text


def test_tuned_values_take_the_place_of_options(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    moco = {"use": "moco", "temperature": 0.1}
    fake.run("moco_tuned", 0, DATASET, {}, method=moco, inputs={"best": "search"})
    (row,) = table(tmp_path, fake, {"search": {"temperature": 0.15}}).rows
    assert [entry.text for entry in row][3:5] == ["defaults", "temperature 0.15"]
    (row,) = table(tmp_path, fake).rows
    assert row[4].text == "not chosen yet"
