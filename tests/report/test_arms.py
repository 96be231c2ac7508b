"""Numbers against the value of an option."""

from pathlib import Path

import pytest
import vl_convert
from report_tools import FakeStudy

from pipelines.report.arms import arms, arms_charts, arms_styles
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.study import load_results

MEANS = {0.0: 0.5, 0.9: 0.7, 0.99: 0.9}


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    study = FakeStudy(tmp_path)
    for seed in range(2):
        for momentum, mean in MEANS.items():
            scores = {"knn": {"test/top1": mean + 0.01 * seed}}
            study.run(f"moco_v2[momentum={momentum}]", seed, {"use": "digits"}, scores)
        study.run("moco_v2", seed, {"use": "digits"}, {"knn": {"test/top1": 0.8}})
        for schedule in ("cosine", "constant", "step"):
            study.run(f"moco_v2[training.schedule={schedule}]", seed, {"use": "digits"}, {"knn": {"test/top1": 0.6}})
        for alpha in (0.2, 8.0):
            study.run(f"moco_v2_ft[alpha={alpha},momentum=0.9]", seed, {"use": "digits"}, {"knn": {"test/top1": 0.4}})
    return comparisons(load_results(study.save(), tmp_path))[0]


def test_arms_are_ordered_by_the_value_and_words_and_mixed_points_left_out(comparison: Comparison) -> None:
    column = comparison.columns[0]
    found = arms(comparison, column)
    assert list(found) == ["momentum"]
    assert [(arm.method, arm.value) for arm in found["momentum"]] == [("moco_v2", value) for value in sorted(MEANS)]
    assert [arm.cell.mean for arm in found["momentum"]] == pytest.approx([50.5, 70.5, 90.5])


def test_a_chart_has_means_inside_their_intervals(comparison: Comparison) -> None:
    ((title, chart),) = [each for each in arms_charts([comparison]) if "kNN" in each[0]]
    assert title == "digits · kNN (k 20) against momentum"
    (rows,) = chart["datasets"].values()
    assert [row["x"] for row in rows] == sorted(MEANS)
    assert all(row["low"] < row["mean"] < row["high"] for row in rows)
    assert list(arms_styles([comparison])) == ["moco_v2"]


@pytest.mark.parametrize(
    ("values", "kind", "scale"),
    [
        ((0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0), "ordinal", None),  # the momenta of the study
        ((0.25, 0.5, 0.75, 0.9), "quantitative", None),
        ((0.2, 0.21, 8.0), "quantitative", "log"),
    ],
)
def test_values_that_would_lie_on_each_other_have_a_step_each(
    values: tuple[float, ...], kind: str, scale: str | None, tmp_path: Path
) -> None:
    study = FakeStudy(tmp_path)
    for value in values:
        study.run(f"moco_v2[momentum={value}]", 0, {"use": "digits"}, {"knn": {"test/top1": value / 10}})
    ((_, chart), *_) = arms_charts(comparisons(load_results(study.save(), tmp_path)))
    axes = [layer["encoding"]["x"] for layer in chart["layer"]]
    assert [axis["type"] for axis in axes] == [kind, kind]
    assert [axis.get("scale", {}).get("type") for axis in axes] == [scale, scale]
    drawn = vl_convert.vegalite_to_svg(chart)
    assert kind != "ordinal" or [f">{value:g}<" for value in values if f">{value:g}<" not in drawn] == []


def test_two_values_make_no_line(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    for momentum in (0.9, 0.99):
        study.run(f"moco_v2[momentum={momentum}]", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    assert arms_charts(comparisons(load_results(study.save(), tmp_path))) == []
