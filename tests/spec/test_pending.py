"""Records decide what is left to do: lost, made by other code, or never done; markers and timestamps say nothing."""

import json
import shutil
from pathlib import Path

import pytest
from study_tools import finish, left

from pipelines.cli import main
from pipelines.spec import layout, made_by
from pipelines.spec.made_by import code_of
from pipelines.spec.pending import Pending, changed_pages, is_changed, is_fresh, mark_fresh
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs
from pipelines.stages import plan as stage

STUDY = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: moco, queue_size: 512}, {use: simclr}]
seeds: [0]
training: {batch_size: 64, epochs: 1}
evaluation: [{use: knn}, {use: linear}]
"""


@pytest.fixture
def done(tmp_path: Path) -> tuple[Plan, Path]:
    """A study, every job of it finished."""
    (tmp_path / "x.yaml").write_text(STUDY)
    plan, results = plan_file(tmp_path / "x.yaml"), tmp_path / "results"
    write_specs(plan, results)
    for job in plan.jobs.values():
        finish(job, results)
    return plan, results


def test_a_finished_study_has_nothing_left(done):
    plan, results = done
    assert not left(plan, results)


def test_a_job_whose_folder_is_gone_is_to_be_done_again_and_only_that(done):
    plan, results = done
    job = plan.of("pretrain")[0]
    shutil.rmtree(job.folder(results))
    assert left(plan, results) == {job.place}


def test_a_copy_without_its_timestamps_is_as_done_as_before(done, tmp_path):
    plan, results = done
    mark_fresh(plan.dump(), results)
    layout.report_page(results, "x").write_text("page")
    copy = tmp_path / "copy"
    shutil.copytree(results, copy, copy_function=shutil.copyfile)
    assert not left(plan, copy)
    assert is_fresh(plan, copy)


def test_a_declared_table_that_is_written_anew_is_no_damage_of_the_report(done):
    plan, results = done
    page = layout.report_page(results, plan.study.name)
    tables = page.parent / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    for path in (page, tables / "results-digits.md", tables / "for_the_paper.md"):
        path.write_text("as it was written")
    mark_fresh(plan.dump(), results)
    (tables / "for_the_paper.md").write_text("with another caption")
    assert changed_pages(plan, results) == []
    (tables / "results-digits.md").write_text("with another number")
    assert changed_pages(plan, results) == [tables / "results-digits.md"]


def test_a_report_is_stale_when_a_record_or_the_plan_or_the_page_changed(done):
    plan, results = done
    page = layout.report_page(results, "x")
    mark_fresh(plan.dump(), results)
    assert not is_fresh(plan, results)  # the page is missing
    page.write_text("page")
    assert is_fresh(plan, results)
    job = plan.of("evaluate")[0]
    (job.folder(results) / "record.json").unlink()
    assert not is_fresh(plan, results)
    finish(job, results)
    assert not is_fresh(plan, results)  # another run of it: another record


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch):
    """Pretraining of SimCLR runs other code than it did."""

    def other(spec):
        code = code_of(spec)
        if spec.stage == "pretrain" and spec.method.use == "simclr":
            return type(code)("0" * len(code.digest), {**code.files, "pipelines/losses/nt_xent.py": "0"})
        return code

    monkeypatch.setattr("pipelines.spec.pending.code_of", other)
    monkeypatch.setattr(made_by, "code_of", other)


def test_what_other_code_made_stays_unless_asked_for_and_takes_with_it_what_was_made_from_it(done, edited):
    plan, results = done
    assert not left(plan, results)
    changed = next(job for job in plan.of("pretrain") if job.spec.method.use == "simclr")
    assert [job.place for job in plan.jobs.values() if is_changed(job, results)] == [changed.place]
    below = {job.place for job in plan.of("evaluate") if job.inputs.get("weights") == changed.key}
    assert len(below) == 2
    assert left(plan, results, rerun_changed=True) == {changed.place} | below


def test_plan_marks_what_other_code_made_and_names_the_files_once(done, edited, monkeypatch, capsys):
    _, results = done
    monkeypatch.setattr(stage, "code_of", made_by.code_of)
    assert main(["plan", str(results.parent / "x.yaml"), "--results", str(results)]) == 0
    told = capsys.readouterr().out
    assert told.count("pipelines/losses/nt_xent.py") == 1
    assert told.count("done [other code]  ") == 1
    assert "# [other code]: 1 job done by other code; changed since: pipelines/losses/nt_xent.py\n" in told


def test_making_anew_clears_what_was_there_but_the_spec(done, edited):
    plan, results = done
    pending = Pending.of([plan], results, rerun_changed=True)
    job = next(job for unit in pending.units.values() if unit.stage == "pretrain" for job in unit.jobs)
    (job.folder(results) / "trials").mkdir()
    (job.folder(results) / "encoder.safetensors").touch()
    pending.write(results, [])
    assert [path.name for path in job.folder(results).iterdir()] == ["spec.json"]
    assert not left(plan, results) - {each.place for unit in pending.units.values() for each in unit.jobs}


def test_a_job_on_another_machine_finds_its_unit_however_far_the_run_is(done):
    plan, results = done
    for job in plan.of("evaluate"):
        (job.folder(results) / "record.json").unlink()
    pending = Pending.of([plan], results)
    pending.write(results, [])
    finish(plan.of("evaluate")[0], results)
    again = Pending.read([plan], results)
    assert again.units.keys() == pending.units.keys()
    assert [unit.jobs for unit in again.units.values()] == [unit.jobs for unit in pending.units.values()]


def test_a_marker_whose_records_are_gone_is_taken_away(done):
    plan, results = done
    shutil.rmtree(plan.of("shards")[0].folder(results))
    pending = Pending.of([plan], results)
    (unit,) = pending.units.values()
    marker = layout.marker(results, unit.stage, unit.name)
    marker.parent.mkdir(parents=True)
    marker.touch()
    pending.write(results, [])
    assert not marker.exists()


def test_the_digest_of_a_job_names_its_parts_and_nobody_elses(done):
    plan, _ = done
    moco, simclr = (code_of(job.spec).files for job in plan.of("pretrain"))
    assert "pipelines/methods/moco.py" in moco
    assert "pipelines/methods/simclr.py" not in moco
    assert "pipelines/losses/nt_xent.py" in simclr
    assert "pipelines/losses/nt_xent.py" not in moco
    knn = next(code_of(job.spec).files for job in plan.of("evaluate") if job.spec.evaluation.use == "knn")
    assert "pipelines/evaluation/linear.py" not in knn
    for files in (moco, simclr, knn):
        assert not [name for name in files if name.startswith(("pipelines/report/", "pipelines/spec/plan.py"))]
        assert json.dumps(files)


def test_a_run_takes_away_its_own_markers_and_nobody_elses(done):
    plan, results = done
    pending = Pending.of([plan], results)
    pending.write(results, [], "first")
    Pending.clear(results, "second")
    assert layout.units_file(results).exists()
    Pending.clear(results, "first")
    assert not layout.units_file(results).parent.exists()
    Pending.clear(results, "first")
