"""The page of a large study, built whole from made-up records: it stays one file under 10 MB, and a browser draws it."""

import random
import re
from pathlib import Path

import pytest
import vl_convert
from browser_tools import CHROMIUM, look
from report_tools import FakeStudy, history

from pipelines.histograms import BINS, FILE, ROWS, Histograms
from pipelines.report.build import build_report
from pipelines.report.sections.scores import MOST_HEAT_MAPS
from pipelines.report.study import load_results

ROOT = Path(__file__).parents[2]
METHODS, SEEDS, DATASETS = 20, 6, ("digits", "fashion_mnist", "cifar10")
READINGS = 100
"""Of a history: as many as the page draws of one."""
PICTURE = 60_000
"""Bytes of a picture: all of them are more than the page has room for."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def dense() -> Histograms:
    """As many cells as a map can have."""
    row = tuple(1 + place % 7 for place in range(BINS))
    sides = ("positive", "negative")
    return Histograms(total_steps=1000, rows=tuple(range(ROWS)), counts={side: (row,) * ROWS for side in sides})


def train(fake: FakeStudy, label: str, dataset: str, seed: int) -> None:
    """A pretraining with its history, pictures and, for the first seed, scores; and its evaluations."""
    key = f"{label}-{dataset}-s{seed}"
    folder, given = fake.folder("pretrain", key), {"dataset": {"use": dataset}, "seed": seed}
    history(folder, label, seed, steps=10 * READINGS)
    names = {"history": "history.jsonl", "look": "look.png"} | ({} if seed else {"scores": FILE})
    if not seed:
        dense().save(folder / FILE)
        (folder / "look.png").write_bytes(random.Random(key).randbytes(PICTURE))
    fake.job("pretrain", key, label, given, artifacts=names, seconds=300.0 + seed, images_per_second=9500.0)
    scores = {use: {"test/top1": 0.8 + random.Random(key + use).gauss(0, 0.02)} for use in ("knn", "linear")}
    fake.evaluate(label, "pretrain", seed, {"use": dataset}, scores, {"weights": key})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("results")
    fake = FakeStudy(folder)
    for dataset in DATASETS:
        for method in range(METHODS):
            for seed in range(SEEDS):
                train(fake, f"method_{method}", dataset, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            vl_convert, "svg_to_pdf", lambda svg: b""
        )  # the PDF files take a quarter of the time and are no part of the page
        made = build_report(load_results(fake.save(), folder), folder / "out", ROOT / "reports")
    return made.read_text(encoding="utf-8")


def test_it_stays_under_ten_megabytes_and_holds_what_it_has_room_for(page: str) -> None:
    assert 7_000_000 < len(page.encode()) < 10_000_000
    assert page.count("data:image/png;base64,") > 5
    assert "more pictures would make this page too large" in page
    assert len(re.findall(r" · method_\d+ · (?:positive|negative) scores</figcaption>", page)) == MOST_HEAT_MAPS


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
def test_a_browser_draws_all_of_it_without_an_error(page: str, tmp_path: Path) -> None:
    found = look(tmp_path, page, 1400)
    assert found["errors"] == []
    assert found["drawn"] == page.count('class="chart"') > MOST_HEAT_MAPS
