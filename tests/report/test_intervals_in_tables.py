"""Intervals, letters and differences of the result tables."""

from pathlib import Path

import numpy as np
import pytest
from report_tools import FakeStudy, answered, finish, planned

from pipelines.errors import DamagedFile, InputError
from pipelines.files import read_json
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.noise import difference, letters
from pipelines.report.pairs import pairs, pairs_csv, pairs_tables
from pipelines.report.results import results_table
from pipelines.report.study import load_results
from pipelines.statistics.intervals import of_images, of_seeds, wilson

STUDY = """
question: Which is best?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods: [{{use: simclr, label: good}}, {{use: byol, label: fair}}, {{use: simsiam, label: bad}}]
training: {{epochs: 2, batch_size: 64}}
seeds: {seeds}
evaluation: [{{use: knn}}, {{use: few_shot, shots: [1]}}]
"""
LEVEL = {"good": 0.9, "fair": 0.895, "bad": 0.5}
M = 400


def right(label: str, seed: int) -> np.ndarray:
    """Images get harder from the first to the last; a seed is worth two images, and ``good`` and ``fair`` take turns."""
    level = round(M * LEVEL.get(label, 0.3)) + (4 if label == "fair" and seed % 2 else 0)
    return np.arange(M) < level + 2 * seed


def study(folder: Path, seeds: int, keep: bool = True) -> Comparison:
    plan = planned(folder, STUDY.format(seeds=list(range(seeds))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] != "evaluate":
            finish(folder, job, metrics={"data/test": M} if job["stage"] == "shards" else {}, derived={"classes": 10})
        elif job["spec"]["evaluation"]["use"] == "few_shot":
            finish(folder, job, metrics={"test/top1": 0.5 + job["spec"]["seed"] / 100})
        elif keep:
            answered(folder, job, right(job["label"], job["spec"]["seed"]))
        else:
            finish(folder, job, metrics={"test/top1": right(job["label"], job["spec"]["seed"]).mean()})
    (found,) = comparisons(load_results(plan, folder))
    return found


def cell(found: Comparison, label: str, number: int = 0):
    row = next(row for row in found.rows if row.label == label)
    return found.cells[row, found.columns[number]]


def test_an_interval_counts_seeds_and_images_where_predictions_were_kept(tmp_path: Path) -> None:
    found = study(tmp_path, 3)
    expected = of_images(np.stack([right("good", seed) for seed in range(3)]), resamples=1000)
    estimate = cell(found, "good").estimate
    assert (estimate.counts, estimate.n) == ("seeds and images", 3)
    assert [estimate.mean, estimate.sd] == pytest.approx([100 * expected.mean, 100 * expected.sd])
    assert [estimate.low, estimate.high] == pytest.approx([100 * expected.low, 100 * expected.high])
    assert cell(found, "good").interval == f"[{100 * expected.low:.1f}, {100 * expected.high:.1f}]"


def test_without_predictions_it_counts_seeds_and_says_so(tmp_path: Path) -> None:
    found = study(tmp_path, 3, keep=False)
    expected = of_seeds([100 * right("good", seed).mean() for seed in range(3)])
    estimate = cell(found, "good").estimate
    assert [estimate.low, estimate.high] == pytest.approx([expected.low, expected.high])
    assert cell(found, "good").interval.endswith("] seeds only")


def test_one_seed_counts_images_of_a_share_and_nothing_of_a_mean_over_draws(tmp_path: Path) -> None:
    found = study(tmp_path, 1, keep=False)
    low, high = wilson(0.9, M)
    assert cell(found, "good").interval == f"[{100 * low:.1f}, {100 * high:.1f}] images only"
    few_shot = cell(found, "good", 1)
    assert few_shot.estimate.counts == "nothing"
    assert (few_shot.text, few_shot.interval) == ("50.0 (1)", "")


def test_letters_need_six_seeds_and_join_what_no_test_tells_apart(tmp_path: Path) -> None:
    few = study(tmp_path / "few", 5)
    assert letters(few, few.columns[0]) == {}
    found = study(tmp_path / "enough", 6)
    assert {row.label: letter for row, letter in letters(found, found.columns[0]).items()} == {
        **{"good": "a", "fair": "a", "bad": "b"}
    }
    table = results_table(found, {}, "results", "caption")
    marks = {row[0].text: row[1].marks for row in table.rows}
    assert (marks["good"], marks["bad"], marks["raw pixels"]) == ("a", "b", "")
    assert table.remarks[0] == "The test set has 400 images in 10 classes; one image is worth 0.25 points."
    assert any("share a letter" in remark for remark in table.remarks)
    assert not any("share a letter" in remark for remark in results_table(few, {}, "results", "caption").remarks)


def test_a_poor_one_among_many_equals_is_told_apart_by_six_seeds(tmp_path: Path) -> None:
    equals = [f"equal{i}" for i in range(6)]
    names = enumerate([*equals, "bad"], start=1)
    listed = ", ".join(f"{{{{use: simclr, temperature: 0.{i}, label: {label}}}}}" for i, label in names)
    text = STUDY.replace(STUDY[STUDY.index("methods:") : STUDY.index("training:")], f"methods: [{listed}]\n")
    plan = planned(tmp_path, text.format(seeds=list(range(6))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            place = [*equals, "bad"].index(job["label"]) if job["label"] in [*equals, "bad"] else 0
            level = (200 if job["label"] == "bad" else 350) + (4 * place + 3 * job["spec"]["seed"]) % 7  # take turns
            finish(tmp_path, job, metrics={"test/top1": level / M})
        else:
            finish(tmp_path, job, metrics={"data/test": M} if job["stage"] == "shards" else {}, derived={"classes": 10})
    (found,) = comparisons(load_results(plan, tmp_path))
    told = {row.label: letter for row, letter in letters(found, found.columns[0]).items()}
    assert told == {**dict.fromkeys(equals, "a"), "bad": "b"}


def test_a_difference_is_paired_by_seed_and_image(tmp_path: Path) -> None:
    found = study(tmp_path, 3)
    same = difference(cell(found, "good"), cell(found, "good"))
    assert (same.mean, same.low, same.high, same.counts) == (0, 0, 0, "seeds and images")
    apart = difference(cell(found, "good"), cell(found, "bad"))
    assert apart.mean == pytest.approx(40.0)
    assert apart.low > 30
    # raw pixels were measured once: the same 120 images for every seed
    floor = difference(cell(found, "good"), cell(found, "raw pixels"))
    assert (floor.n, floor.mean) == (3, pytest.approx(100 * (362 - 120) / 400))
    above = difference(cell(found, "raw pixels"), cell(found, "good"))
    assert (above.n, above.mean, above.low, above.high) == pytest.approx(
        (3, -floor.mean, -floor.high, -floor.low), abs=0.2
    )


@pytest.mark.parametrize("seeds", [3, 6])
def test_every_pair_has_a_test_over_seeds_and_one_over_images(tmp_path: Path, seeds: int) -> None:
    found = study(tmp_path, seeds)
    told = list(pairs(found))
    knn = {(each.first.label, each.second.label): each.found for each in told if each.column == found.columns[0]}
    assert len(knn) == 5 * 4 / 2  # three methods, raw pixels and an untrained encoder
    apart = knn["good", "bad"]
    assert (apart.estimate.mean, apart.test.n) == (pytest.approx(40.0), seeds)
    assert apart.test.p == apart.test.smallest == 2 / 2**seeds
    wrong = {
        "wins": 160 + 2 * (seeds - 1),
        "losses": 0,
    }  # right for more seeds of good: all that a seed of bad may miss
    assert apart.images.wins == wrong["wins"]
    assert apart.images.losses == wrong["losses"]
    assert apart.images.p == pytest.approx(2.0 ** (1 - wrong["wins"]))
    assert next(each.found.images for each in told if each.column == found.columns[1]) is None
    (table,) = pairs_tables([(found, told)], "caption")
    assert all("good" in (row[1].text, row[2].text) for row in table.rows if row[0].text.startswith("kNN"))
    assert any("6 pairs of seeds are needed" in remark for remark in table.remarks) == (seeds < 6)
    lines = pairs_csv([(found, told)]).splitlines()
    assert len(lines) == 1 + len(told)
    assert lines[0].startswith("dataset,protocol,metric,first,second,difference_points")


def test_predictions_that_changed_or_contradict_their_record_are_refused(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("evaluate", "k", "simclr", {})
    answered(tmp_path, fake.jobs[0], [True, False])
    record = tmp_path / "jobs" / "evaluate" / "k" / "record.json"
    record.write_text(record.read_text().replace("0.5", "0.75"))
    with pytest.raises(DamagedFile, match=r"0\.500000 of its images are right, its record says 0\.750000"):
        comparisons(load_results(fake.save(), tmp_path))
    (record.parent / "predictions.npz").unlink()
    with pytest.raises(DamagedFile, match="there is no such file"):
        comparisons(load_results(fake.save(), tmp_path))


def test_predictions_of_other_images_are_refused(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    for seed in (0, 1):
        fake.job("evaluate", f"k{seed}", "simclr", {"seed": seed})
        answered(tmp_path, fake.jobs[seed], [True] * (2 + seed))
    with pytest.raises(InputError, match="not of the same test images"):
        comparisons(load_results(fake.save(), tmp_path))
