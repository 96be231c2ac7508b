"""Every file that a finished study leaves, damaged: whoever reads it refuses, makes it anew, or gives the same bytes.

``verify`` names each, ``repair`` does what it advises, and the next run makes exactly the damaged anew.
"""

import os

import pytest
import torch
from damage_tools import DAMAGES, Finished, damage, kinds

from pipelines.cli import main
from pipelines.errors import Problem
from pipelines.files import read_json, sealed, write_json
from pipelines.history import History
from pipelines.report.study import load_results
from pipelines.sources.reader import open_shards
from pipelines.spec.layout import written_plan
from pipelines.spec.pending import is_fresh

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("damaged")]
NOT_VERIFIED = (".checked.json", "worker-0.json")
"""What nobody believes: the memory of what was hashed, and the mark of a worker."""


@pytest.fixture(scope="module")
def expected(finished, tmp_path_factory) -> dict[str, object]:
    """What its readers get."""
    return finished.copy(tmp_path_factory.mktemp("whole")).outcome()


def verify(study: Finished, stage: str = "verify") -> int:
    return main([stage, str(study.file), "--results", str(study.results)])


def test_no_damaged_file_is_believed(finished, expected, tmp_path):
    """One file of each kind, damaged in one way each; ``make faults`` does them all."""
    ways = list(DAMAGES)
    for number, name in enumerate(kinds(finished)):
        study = finished.copy(tmp_path / str(number))
        if damage(study.results / name, ways[number % len(ways)], number):
            try:
                found = study.outcome()
            except Problem:
                continue
            assert found == expected, f"{ways[number % len(ways)]} {name} was believed"


def test_every_damage_is_verified_though_times_and_sizes_are_as_before(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    assert verify(study) == 0
    assert capsys.readouterr().out.startswith("0 faults; ")
    for number, name in enumerate(kinds(finished)):
        path = study.results / name
        before, times = path.read_bytes(), path.stat()
        if path.name in NOT_VERIFIED or not damage(path, "flip", number):
            continue
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert verify(study) == 1, name
        told = capsys.readouterr().out.splitlines()
        assert any(str(path.parent) in line or path.stem in line for line in told[:-2]), told
        assert all("; " in line for line in told[:-2]), told
        path.write_bytes(before)


def test_repair_does_what_is_advised_and_the_next_run_makes_exactly_that_anew(finished, expected, tmp_path, capsys):
    study = finished.copy(tmp_path)
    jobs = {job.stage: job for job in study.plan.jobs.values()}  # the last of each stage: the tuned ones
    encoder = jobs["pretrain"].folder(study.results) / "encoder.safetensors"
    tar = next(jobs["shards"].folder(study.results).glob("train*.tar"))
    broken = [
        encoder,
        tar,
        jobs["tune"].folder(study.results) / "best.json",
        jobs["evaluate"].folder(study.results) / "record.json",
        written_plan(study.results, "tiny"),
        next((study.results / "features").glob("*.safetensors")),
        next(jobs["shards"].folder(study.results).glob("cache-test*.npy")),
        study.results / "tiny" / "tables" / "results.csv",
    ]
    for number, path in enumerate(broken):
        assert damage(path, "cut", number)
    weights = encoder.read_bytes()
    assert verify(study) == 1
    lines = capsys.readouterr().out.splitlines()[:-2]
    assert sorted(line.split(":")[0] for line in lines) == sorted(map(str, broken))
    assert verify(study, "repair") == 0
    assert "set aside in" in capsys.readouterr().out
    aside = study.results / "damaged" / "pretrain" / encoder.parent.name / encoder.name
    assert aside.read_bytes() == weights
    assert not is_fresh(study.plan, study.results)
    assert {job.place for job in study.run_what_is_left()} == {jobs[stage].place for stage in jobs}
    study.report()
    assert verify(study) == 0
    assert study.outcome() == expected
    assert verify(study, "repair") == 0
    assert capsys.readouterr().out.endswith("nothing is damaged\n")


def test_a_result_that_is_worked_on_is_not_set_aside(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    folder = study.plan.of("pretrain")[0].folder(study.results)
    damage(folder / "encoder.safetensors", "cut", 0)
    with History.open(folder / "history.jsonl"):
        assert verify(study, "repair") == 1
    assert "a process works on it" in capsys.readouterr().err
    assert (folder / "record.json").exists()


def test_a_spec_edited_to_another_setting_is_refused_under_the_old_key_and_planning_writes_it_anew(
    finished, tmp_path, capsys
):
    study = finished.copy(tmp_path)
    folder = study.plan.of("evaluate")[0].folder(study.results)
    (folder / "record.json").unlink()
    text = (folder / "spec.json").read_text()
    assert '"k": 5' in text
    for wrong in (text.replace('"k": 5', '"k": 6'), text[: len(text) // 2], "[]", text.replace("evaluate", "evaluat")):
        (folder / "spec.json").write_text(wrong)
        assert main(["evaluate", "--job", str(folder)]) == 1
        told = capsys.readouterr().err
        advice = "python -m pipelines plan STUDY --write --results"
        assert advice in told
        line = told[told.index(advice) :].replace("STUDY", str(study.file)).split()[3:]
        assert main(line) == 0
        assert (folder / "spec.json").read_text() == text
    assert main(["evaluate", "--job", str(folder)]) == 0


def test_a_bad_index_and_an_odd_plan_are_mended_by_their_own_advice(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    shards, plan = study.plan.of("shards")[0].folder(study.results), written_plan(study.results, "tiny")
    left = study.plan.of("pretrain")[0].folder(study.results)
    (left / "record.json").unlink()
    index, good = (shards / "index.json").read_bytes(), plan.read_bytes()
    for wrong in (index[:40], index.replace(b"digits", b"digitz", 1), b"[]"):
        (shards / "index.json").write_bytes(wrong)
        assert main(["pretrain", "--job", str(left)]) == 1
        assert f"python -m pipelines shards --job {shards}" in capsys.readouterr().err
        with pytest.raises(Problem, match=f"python -m pipelines shards --job {shards}"):
            open_shards(shards)
        assert main(["shards", "--job", str(shards)]) == 0
        assert (shards / "index.json").read_bytes() == index
    dump = study.plan.dump()
    for odd in (
        good[:99].decode(),
        "[]",
        dump | {"claims": 3},
        sealed(dump) | {"question": "Another?"},
        dump | {"x": 1},
    ):
        plan.write_text(odd) if isinstance(odd, str) else write_json(plan, odd)
        with pytest.raises(Problem, match=r"tiny/plan\.json: .*"):
            load_results(plan, study.results)
        assert main(["plan", str(study.file), "--write", "--results", str(study.results)]) == 0
        assert read_json(plan) == sealed(dump)
        assert plan.read_bytes() == good


@pytest.mark.parametrize("damaged", ["checkpoint.pt", "checkpoint-previous.pt", "checkpoint-epoch-1.pt"])
def test_of_several_checkpoints_only_the_damaged_one_is_set_aside(finished, tmp_path, capsys, damaged):
    study = finished.copy(tmp_path)
    folder = study.plan.of("pretrain")[0].folder(study.results)
    (folder / "record.json").unlink()
    names = {"checkpoint.pt", "checkpoint-previous.pt", "checkpoint-epoch-1.pt"}
    for name in names:
        torch.save({"step": 1}, folder / name)
    assert verify(study) == 0
    (folder / damaged).write_bytes(b"PK\x03\x04 no checkpoint")
    capsys.readouterr()
    assert verify(study) == 1
    assert f"{damaged}: not a checkpoint of this project" in capsys.readouterr().out
    assert verify(study, "repair") == 0
    assert {path.name for path in folder.glob("checkpoint*.pt")} == names - {damaged}
    assert (folder / "history.jsonl").exists()
    assert verify(study) == 0


def test_an_unfinished_job_is_verified_by_what_it_goes_on_from(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    folder = study.plan.of("pretrain")[0].folder(study.results)
    (folder / "record.json").unlink()
    assert verify(study) == 0
    with (folder / "history.jsonl").open("ab") as file:
        file.write(b'{"t":1,"step":2,"met')
    assert verify(study) == 0, "a half line is a kill's"
    (folder / "checkpoint.pt").write_bytes(b"PK\x03\x04 no checkpoint")
    (folder / "history.jsonl").write_bytes(b"no line\n" + (folder / "history.jsonl").read_bytes())
    capsys.readouterr()
    assert verify(study) == 1
    told = capsys.readouterr().out
    assert "history.jsonl: the line at byte 0 is damaged" in told
    assert "checkpoint.pt: not a checkpoint of this project" in told
    assert verify(study, "repair") == 0
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["spec.json"]
    assert study.run_what_is_left() == [study.plan.of("pretrain")[0]]


def test_a_checkpoint_of_another_job_is_refused_and_repair_sets_it_aside(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    tune, folder = (study.plan.of(stage)[-1].folder(study.results) for stage in ("tune", "pretrain"))
    weights = (folder / "encoder.safetensors").read_bytes()
    (folder / "record.json").unlink()
    torch.save({"step": 1, "job": "moco-digits-s1-0"}, folder / "checkpoint.pt")
    assert main(["pretrain", "--job", str(folder)]) == 1
    assert f"{folder}/checkpoint.pt: is a checkpoint of moco-digits-s1-0" in capsys.readouterr().err
    (tune / "record.json").unlink()
    (tune / "trials" / "1").mkdir(parents=True)
    torch.save({"step": 1, "job": f"{tune.name}/trials/0"}, tune / "trials" / "1" / "checkpoint.pt")
    assert verify(study) == 1
    told = capsys.readouterr().out
    assert f"is a checkpoint of {tune.name}/trials/0, and here {tune.name}/trials/1 is trained; delete it" in told
    assert verify(study, "repair") == 0
    assert verify(study) == 0
    study.run_what_is_left()
    assert (folder / "encoder.safetensors").read_bytes() == weights
