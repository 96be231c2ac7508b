"""How far off the price was that was named before the jobs ran."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from report_tools import FakeStudy, finish, planned

from pipelines.report.foreseen import Foreseen
from pipelines.report.study import Results, load_results
from pipelines.report.summary import overview, timings_table
from pipelines.spec.contents import Contents
from pipelines.spec.counts import Counts
from pipelines.spec.foretold import counted, foretold, note_prices
from pipelines.spec.layout import prices_file
from pipelines.spec.plan import plan_file
from pipelines.spec.price import ASSUMED, Prices
from pipelines.spec.resources import CORE_GFLOPS, IMAGENET, PACKED, work

STUDY = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: simclr}]
seeds: [0, 1]
training: {batch_size: 64, epochs: 1}
evaluation: [{use: knn}]
"""


def test_where_nothing_was_noted_the_built_in_table_is_asked_about_finished_jobs_alone(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.job("shards", "digits-0", "digits", {}, seconds=12.0)
    study.run("simclr", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    results = load_results(study.save(), tmp_path)
    training = next(job for job in results.all if job.stage == "pretrain")
    packing = PACKED * results.all[0].spec.dataset.train_images
    expected = packing + ASSUMED + work(training.spec) / CORE_GFLOPS  # the linear probe is planned, and has no record
    foreseen = Foreseen.of(results)
    assert foreseen.off_by(results.all) == pytest.approx((12 + 300 + 4) / expected)
    assert foreseen.sentence(results.all).startswith("3 finished jobs took 5 min 16 s. No price was noted;")


def test_nothing_is_said_before_a_job_is_finished(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path)
    study.job("shards", "digits-0", "digits", {})
    results = load_results(study.save(), tmp_path)
    assert Foreseen.of(results).off_by(results.all) is None
    assert Foreseen.of(results).sentence(results.all) == ""


@pytest.fixture
def two_runs(tmp_path: Path) -> tuple[Path, Path]:
    """(study's plan.json, results) of a study whose shards and first seed were done, and whose second seed was run later."""
    plan = planned(tmp_path, STUDY)
    made = plan_file(tmp_path / "study.yaml")
    jobs = {job["key"]: job for job in made.dump()["jobs"]}
    (shards,) = made.of("shards")
    trainings, evaluations = made.of("pretrain"), made.of("evaluate")
    finish(tmp_path, jobs[shards.key], seconds=3.0)
    note_prices(made, tmp_path, {})
    finish(tmp_path, jobs[trainings[0].key], seconds=80.0)
    note_prices(made, tmp_path, {})
    finish(tmp_path, jobs[trainings[1].key], seconds=100.0)
    note_prices(made, tmp_path, {})  # of evaluations alone
    for job in evaluations:
        finish(tmp_path, jobs[job.key], seconds=10.0)
    note_prices(made, tmp_path, {})  # nothing is left: nothing is written
    return plan, tmp_path


def results_of(made: tuple[Path, Path]) -> Results:
    return load_results(*made)


def test_a_folder_of_unknown_size_is_priced_by_the_images_that_are_counted(tmp_path: Path) -> None:
    study = STUDY.replace("use: digits", "use: imagefolder, name: own, folder: own")
    planned(tmp_path, study)
    made = plan_file(tmp_path / "study.yaml")
    (shards,), spec = made.of("shards"), made.of("pretrain")[0].spec
    contents = Contents(train=320, held=32, test=40, counts=Counts((), (), (), ()), skipped={})
    price = Prices([], counted(made, {shards.key: contents})).price(spec)
    assert price.seconds == pytest.approx(Prices([]).price(spec).seconds * 320 / IMAGENET)
    note = {"metrics": {"data/train": 640}}
    finish(tmp_path, next(job for job in made.dump()["jobs"] if job["stage"] == "shards"), **note)
    packed = Prices.of(made.jobs.values(), tmp_path, {"own": 320}).price(spec)  # what was packed is what counts
    assert packed.seconds == pytest.approx(2 * price.seconds)


def test_each_job_has_the_price_of_the_run_that_did_it(two_runs: tuple[Path, Path]) -> None:
    results = results_of(two_runs)
    first, second = (job for job in results.all if job.stage == "pretrain")
    prices = Foreseen.of(results).prices
    assert (prices[first.place].source, prices[second.place].source) == ("assumed", "measured")
    assert prices[second.place].seconds == 80.0
    assert all(job.place not in prices for job in results.all if job.stage == "shards")  # done before


def test_the_report_compares_with_what_was_noted(two_runs: tuple[Path, Path]) -> None:
    results = results_of(two_runs)
    foreseen = Foreseen.of(results)
    assert foreseen.off_by(job for job in results.all if job.key.startswith("simclr-digits-s1")) is not None
    seconds = sum(price.seconds for price in foreseen.prices.values())
    took = sum(job.record.seconds for job in results.all if job.record and job.stage != "shards")
    assert foreseen.off_by(results.all) == pytest.approx(took / seconds, rel=1e-4)
    table = timings_table(results, "caption")
    assert {row[0].text: row[-1].text for row in table.rows}["shards"] == "–"
    assert "When these runs began, plan --cost foresaw" in table.remarks[0]
    assert "1 min 20 s by jobs of the same work" in table.remarks[0]


def test_a_damaged_note_is_as_none(two_runs: tuple[Path, Path]) -> None:
    file = prices_file(two_runs[1], "study")
    file.write_text(file.read_text()[:-20])
    assert foretold(two_runs[1], "study") == {}
    assert "No price was noted" in Foreseen.of(results_of(two_runs)).sentence(results_of(two_runs).all)


def test_the_page_names_the_study_file(
    tmp_path: Path, two_runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_of(two_runs)
    assert results.file == "study.yaml"  # it lies outside of the working folder: no folder of the machine is named
    assert overview(results)[0].values == ("study.yaml",)
    assert overview(replace(results, file=""))[0].name == "study"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    shutil.copy(tmp_path / "study.yaml", tmp_path / "mine")
    assert plan_file(Path("mine/study.yaml")).file == "mine/study.yaml"
    assert plan_file(tmp_path / "mine" / "study.yaml").file == "mine/study.yaml"
