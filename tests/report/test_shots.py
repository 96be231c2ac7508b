"""Curves of accuracy against labels: the numbers of the records, a point a mean, in the order of the labels."""

from pathlib import Path

import numpy as np
import pytest
import vl_convert
from report_tools import finish, planned

from pipelines.files import read_json
from pipelines.report.material import Material
from pipelines.report.sections.shots import sections
from pipelines.report.shots import shot_curves
from pipelines.report.study import load_results

TEXTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Which is best?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods: [{{use: simclr, label: good}}, {{use: byol, label: fair}}]
training: {{epochs: 2, batch_size: 64}}
seeds: {seeds}
floors: false
evaluation: [{{use: few_shot, shots: [16, 1, 4]}}, {{use: low_shot, labels: [0.01, 0.1, 5]}}]
"""
NAMES = {"few_shot": ("16_shot", "1_shot", "4_shot"), "low_shot": ("1_percent", "10_percent", "5_a_class")}


def value(label: str, name: str, seed: int) -> float:
    return 0.5 + len(label) / 100 + len(name) / 50 + seed / 100


def study(folder: Path, seeds: int = 3) -> Material:
    plan = planned(folder, STUDY.format(seeds=list(range(seeds))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            names = NAMES[job["spec"]["evaluation"]["use"]]
            metrics = {f"test/{name}": value(job["label"], name, job["spec"]["seed"]) for name in names}
            finish(folder, job, metrics=metrics | {"test/4_shot_sd": 0.3})
    return Material(load_results(plan, folder), TEXTS, folder)


def test_a_point_is_the_mean_over_seeds_and_the_band_one_deviation(tmp_path: Path) -> None:
    (found,) = study(tmp_path).comparisons
    few, share = shot_curves(found)  # 5 images a class alone are no curve
    assert (few.unit, share.unit) == ("labelled images a class", "labels (%)")
    good = [point for point in few.points if point.row.label == "good"]
    assert [point.labels for point in good] == [1, 4, 16]
    for point in good:
        values = [100 * value("good", f"{point.labels}_shot", seed) for seed in range(3)]
        assert point.mean == pytest.approx(np.mean(values))
        assert (point.high - point.mean, point.mean - point.low) == pytest.approx([np.std(values, ddof=1)] * 2)
        assert point.n == 3
    assert [point.labels for point in share.points if point.row.label == "fair"] == pytest.approx([1, 10])


def test_one_seed_has_no_band(tmp_path: Path) -> None:
    (found,) = study(tmp_path, seeds=1).comparisons
    assert all(point.low == point.mean == point.high for curves in shot_curves(found) for point in curves.points)


def test_the_section_draws_every_curve_on_a_logarithmic_axis(tmp_path: Path) -> None:
    (section,) = sections(study(tmp_path))
    assert len(section.charts) == 2
    assert [name for name, _ in section.legend] == ["good", "fair"]
    for chart in section.charts:
        spec = chart.spec
        assert {layer["encoding"]["x"]["scale"]["type"] for layer in spec["layer"]} == {"log"}
        assert "<svg" in vl_convert.vegalite_to_svg(spec)
    (rows,) = section.charts[0].spec["datasets"].values()
    assert {row["labels"] for row in rows} == {1, 4, 16}


def test_a_study_without_such_protocols_has_no_section(tmp_path: Path) -> None:
    plan = planned(tmp_path, STUDY.replace("[{{use: few", "[{{use: knn}}] #").format(seeds=[0]))
    (section,) = sections(Material(load_results(plan, tmp_path), TEXTS, tmp_path))
    assert section.is_empty
