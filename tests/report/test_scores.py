"""Scores over training: what the charts are made of, and what is drawn of which methods."""

import json
import math
import re
import statistics
import zlib
from pathlib import Path

import pytest
from name_tools import name_of
from report_tools import FakeStudy

from pipelines.colours import ramp
from pipelines.histograms import BINS, FILE, ROWS, Histograms
from pipelines.history import History
from pipelines.report.binned import moments
from pipelines.report.curves import SCORES, Curve
from pipelines.report.material import Material
from pipelines.report.page import write_figures
from pipelines.report.score_charts import bands, cells
from pipelines.report.sections.scores import MOST_HEAT_MAPS, graded, histograms_of, sections
from pipelines.report.study import load_results
from pipelines.spec.row_name import of_method

TEXTS = Path(__file__).parents[2] / "reports"


def counted(rows: dict[int, dict[int, int]], side: str = "negative") -> Histograms:
    """Row -> bin -> count."""
    filled = tuple(tuple(bins.get(place, 0) for place in range(BINS)) for bins in rows.values())
    return Histograms(total_steps=10 * ROWS, rows=tuple(rows), counts={side: filled})


def test_cells_are_shares_of_all_seeds_and_reach_to_the_next_reading():
    each = [counted({0: {0: 1, 5: 1}, 4: {63: 2}}), counted({0: {5: 2}, 4: {63: 2}})]
    assert cells(each, "negative") == [
        {"from": 0, "to": 40, "low": -1, "high": -1 + 2 / 64, "share": 0.25},
        {"from": 0, "to": 40, "low": -1 + 10 / 64, "high": -1 + 12 / 64, "share": 0.75},
        {"from": 40, "to": 320, "low": 1 - 2 / 64, "high": 1, "share": 1.0},
    ]
    assert cells(each, "positive") == []


def test_bands_reach_from_the_lowest_seed_to_the_highest():
    curves = [
        Curve(name_of("a"), "d", seed, "m", ((0.0, value), (1.0, -value))) for seed, value in ((0, 1.0), (1, 3.0))
    ]
    assert bands(curves, positive=False)[0] == {"label": "a", "step": 0.0, "mean": 2, "low": 1, "high": 3, "n": 2}
    assert len(bands(curves, positive=False)) == 2
    assert len(bands(curves, positive=True)) == 1  # a logarithm has no place for the others


def test_points_of_one_grid_have_colours_in_its_order():
    names = [of_method("moco_v2", {"momentum": str(value)}) for value in (0.0, 0.9, 0.99)]
    assert [style.colour for style in graded(names).values()] == ramp(3)
    assert graded([of_method(name, {}) for name in ("moco_v2", "simclr", "byol")])["simclr"].colour not in ramp(3)
    assert len(set(ramp(12))) == 12


def trained(fake: FakeStudy, label: str, seed: int, histograms: Histograms, **method: object) -> Path:
    key, folder = f"{label}-s{seed}", fake.folder("pretrain", f"{label}-s{seed}")
    given = {"method": {"use": "moco", "version": 2, **method}, "seed": seed}
    fake.job("pretrain", key, label, given, artifacts={"scores": FILE})
    histograms.save(folder / FILE)
    return folder / FILE


@pytest.mark.parametrize("harm", [None, "gone", "cut", "other steps"])
def test_histograms_that_cannot_be_had_are_left_out(tmp_path, harm):
    fake = FakeStudy(tmp_path)
    trained(fake, "moco_v2", 0, counted({0: {1: 1}}))
    other = trained(fake, "moco_v2", 1, counted({0: {1: 1}}))
    if harm == "gone":
        other.unlink()
    elif harm == "cut":
        other.write_text(other.read_text()[:40])
    elif harm:
        Histograms(total_steps=5, rows=(0,), counts={"negative": ((1,) * BINS,)}).save(other)
    (seen,) = histograms_of(load_results(fake.save(), tmp_path))
    assert len(seen.each) == (1 if harm else 2)


def test_maps_stand_before_and_after_and_densities_for_every_alpha(tmp_path):
    fake = FakeStudy(tmp_path)
    both = Histograms(
        total_steps=64, rows=(0,), counts={side: ((1,) * BINS,) for side in ("negative", "untransformed_negative")}
    )
    trained(fake, "moco_v2", 0, counted({0: {1: 1}}))
    for number, alpha in enumerate((0.5, 2.0)):
        transform = {"positive": None, "negative": {"alpha": alpha}}
        trained(fake, f"ft{number}", 0, both, feature_transform=transform)
    (found,) = sections(Material(load_results(fake.save(), tmp_path), TEXTS, tmp_path))
    assert [chart.title for chart in found.charts] == [
        "digits · moco_v2 · negative scores",
        "digits · ft0 · negative scores before transformation",
        "digits · ft0 · negative scores after transformation",
        "digits · ft1 · negative scores before transformation",
        "digits · ft1 · negative scores after transformation",
        "weights of the negative side by alpha",
    ]
    lines = next(iter(found.charts[-1].spec["datasets"].values()))
    assert {row["label"] for row in lines} == {"alpha 0.5", "alpha 2"}


def test_every_method_keeps_its_maps_where_the_page_cannot_hold_all(tmp_path):
    """Ten methods with transformation have 40 maps, the last of the eleven two more: maps of before give way."""
    fake = FakeStudy(tmp_path)
    sides = ("negative", "untransformed_negative", "positive", "untransformed_positive")
    four = Histograms(total_steps=64, rows=(0,), counts={side: ((1,) * BINS,) for side in sides})
    for number in range(10):
        trained(fake, f"ft{number}", 0, four, feature_transform={})
    two = Histograms(total_steps=64, rows=(0,), counts={side: ((1,) * BINS,) for side in ("negative", "positive")})
    trained(fake, "moco_v2", 0, two)
    (found,) = sections(Material(load_results(fake.save(), tmp_path), TEXTS, tmp_path))
    maps = [chart.title for chart in found.charts if chart.title.startswith("digits")]
    assert len(maps) == MOST_HEAT_MAPS
    assert maps[-2:] == ["digits · moco_v2 · negative scores", "digits · moco_v2 · positive scores"]
    assert len([title for title in maps if title.endswith("after transformation")]) == 20
    assert len([title for title in maps if title.endswith("before transformation")]) == 18
    assert " 2 further maps are left out" in found.caption[0]


def test_a_mean_from_bins_is_off_by_half_a_bin_at_most():
    scores = [0.9 * math.sin(number) for number in range(500)]
    counts = [0] * BINS
    for score in scores:
        counts[int((score + 1) / 2 * BINS)] += 1
    mean, variance = moments(counts)
    assert abs(mean - statistics.fmean(scores)) <= 1 / BINS
    assert variance == pytest.approx(statistics.pvariance(scores), abs=0.002)


def test_a_method_without_negatives_has_its_lines_and_a_place_in_the_legend(tmp_path):
    fake = FakeStudy(tmp_path)
    trained(fake, "byol", 0, counted({0: {48: 3}, 4: {50: 1, 52: 1}}, "positive"))
    (found,) = sections(Material(load_results(fake.save(), tmp_path), TEXTS, tmp_path))
    assert [label for label, _ in found.legend] == ["byol"]
    charts = {chart.title: chart.spec for chart in found.charts}
    assert list(charts) == [
        "digits · byol · positive scores",
        "digits · mean of positive scores",
        "digits · variance of positive scores",
    ]
    (rows,) = charts["digits · mean of positive scores"]["datasets"].values()
    assert [(row["step"], row["mean"]) for row in rows] == [(5, 0.51562), (45, 0.60938)]  # 33/64, 39/64


def test_the_pictures_are_vectors_in_a_pdf_and_have_a_tip_on_the_page(tmp_path):
    fake = FakeStudy(tmp_path)
    trained(fake, "ft", 0, counted({0: {1: 1, 7: 2}, 4: {63: 2}}), feature_transform={})
    path = fake.folder("pretrain", "ft-s0") / "history.jsonl"
    with History.open(path) as out:
        for step in range(5):
            out.log(step, dict.fromkeys(SCORES, 0.5 + step / 10))
    (found,) = sections(Material(load_results(fake.save(), tmp_path), TEXTS, tmp_path))
    titles = [chart.title for chart in found.charts]
    assert titles[0] == "digits · ft · negative scores"
    assert titles[1:] == [
        *(f"digits · {words}" for words in SCORES.values()),
        "weights of the positive side by alpha",
        "weights of the negative side by alpha",
    ]
    assert all('"tooltip"' in json.dumps(chart.spec) for chart in found.charts)
    svg, pdf = write_figures([found], tmp_path / "figures")
    assert [svg.name, pdf.name] == ["scores.svg", "scores.pdf"]
    drawn = svg.read_text(encoding="utf-8")
    assert [title for title in titles if title not in drawn] == []
    assert "<image" not in drawn
    data = pdf.read_bytes()
    assert data.startswith(b"%PDF")
    assert not re.search(rb"/Subtype\s*/Image", data)
    assert painted(data) > len(titles)


def painted(pdf: bytes) -> int:
    """How many paths the streams of a PDF fill or stroke."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    return sum(len(re.findall(rb"(?m)^(?:f\*?|S|B\*?)$", unpacked(stream))) for stream in streams)


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
