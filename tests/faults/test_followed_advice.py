"""What a message advises is typed as it stands, and then the command that was refused goes through."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from damage_tools import Finished
from source_tools import image, make_folder
from study_tools import Made, finish

from pipelines.artifacts import fact_of
from pipelines.cli import main
from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation.predictions import Predictions
from pipelines.files import sealed, write_json
from pipelines.records import read_record
from pipelines.spec.restocked import check_stock

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("damaged")]

CHANGING = """
question: q
dataset: {{name: mine, use: imagefolder, folder: {0}}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 4}}
evaluation: [{{use: knn, k: 3}}]
"""


def follow(told: str, study: Finished) -> None:
    """Delete what the message says is to be deleted, and run the commands of its last line, repair among them."""
    if deleted := re.search(r"delete (.+) and run: ", told):
        Path(*shlex.split(deleted[1])).unlink()
    lines = re.findall(r"python -m pipelines ([^\n;]+)", told.splitlines()[-1])
    for line in lines:
        words = line.replace("STUDY", str(study.file)).partition(" does what ")[0]  # verify goes on with a sentence
        assert main(shlex.split(words)) == 0, line


def refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line) == 1
    return "".join(capsys.readouterr())


def test_an_input_that_is_not_finished_is_made_by_the_command_that_is_named(finished, tmp_path, capsys):
    study = finished.copy(tmp_path / "Ergebnisse für mich")
    trained = study.plan.of("pretrain")[-1]
    judged = next(job for job in study.plan.of("evaluate") if job.inputs.get("weights") == trained.key)
    line = ["evaluate", "--job", str(judged.folder(study.results))]
    for job in (trained, judged):
        (job.folder(study.results) / "record.json").unlink()
    follow(refused(line, capsys), study)
    assert main(line) == 0


@pytest.mark.parametrize("asks", ["export", "embed"])
def test_a_pretraining_that_others_ask_for_is_made_by_the_command_that_is_named(finished, tmp_path, capsys, asks):
    study = finished.copy(tmp_path)
    folder = study.plan.of("pretrain")[-1].folder(study.results)
    (folder / "record.json").unlink()
    images = tmp_path / "images"
    images.mkdir()
    line = {
        "export": ["export", str(folder), "--to", str(tmp_path / "out")],
        "embed": ["embed-images", str(folder), str(images), "--to", str(tmp_path / "out.parquet")],
    }[asks]
    told = refused(line, capsys)
    assert f"{folder}: is not finished; run: python -m pipelines pretrain --job {folder}" in told
    follow(told, study)
    assert (folder / "record.json").exists()


def test_a_job_of_another_stage_is_run_by_the_command_that_is_named(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    folder = study.plan.of("evaluate")[0].folder(study.results)
    (folder / "record.json").unlink()
    follow(refused(["pretrain", "--job", str(folder)], capsys), study)
    assert (folder / "record.json").exists()


def test_damaged_weights_are_made_anew_by_the_two_steps_that_are_named(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    trained = study.plan.of("pretrain")[-1]
    judged = next(job for job in study.plan.of("evaluate") if job.inputs.get("weights") == trained.key)
    weights = trained.folder(study.results) / "encoder.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    (judged.folder(study.results) / "record.json").unlink()
    for kept in (study.results / "features").glob("*"):
        kept.unlink()
    line = ["evaluate", "--job", str(judged.folder(study.results))]
    follow(refused(line, capsys), study)
    assert weights.read_bytes() == good
    assert main(line) == 0


def test_what_verify_advises_mends_what_it_found(finished, tmp_path, capsys):
    study = finished.copy(tmp_path)
    index = study.plan.of("shards")[0].folder(study.results) / "index.json"
    index.write_text("[]")
    line = ["verify", str(study.file), "--results", str(study.results)]
    follow(refused(line, capsys), study)
    for job in study.plan.of("shards"):
        assert main(["shards", "--job", str(job.folder(study.results))]) == 0
    assert main(line) == 0


def test_predictions_that_are_not_what_the_record_counts_are_made_by_the_steps_that_are_named(
    finished, tmp_path, capsys
):
    study = finished.copy(tmp_path)
    folder = study.plan.of("evaluate")[-1].folder(study.results)
    kept = Predictions.load(folder / "predictions.npz")
    other = Predictions.of(kept.ids, kept.label, np.where(kept.correct, kept.label + 1, kept.label))
    other.save(folder / "predictions.npz")
    record = read_record(folder)
    facts = record.files | {"predictions": fact_of(folder / "predictions.npz")}
    write_json(folder / "record.json", sealed(record.model_copy(update={"files": facts}).model_dump(mode="json")))
    with pytest.raises(DamagedFile, match="of its images are right, its record says") as told:
        study.report()
    follow(str(told.value), study)
    study.report()


def test_changed_images_are_kept_as_they_were_packed_by_the_command_that_is_named(tmp_path, capsys):
    make_folder(tmp_path / "pics", {"cat": 6, "dog": 6})
    made = Made.of(CHANGING.format(tmp_path / "pics"), tmp_path)
    for job in made.plan.jobs.values():
        if job.stage != "shards":
            finish(job, made.results)
    image(tmp_path / "pics/cat/new.png")
    with pytest.raises(InputError, match="7 images in cat, 6 were packed") as told:
        check_stock(made.plan.jobs.values(), made.results)
    line = re.search(r"python -m pipelines (accept .*?); or ", str(told.value))
    assert line
    assert main(shlex.split(line[1].replace("STUDY", str(tmp_path / "study.yaml")))) == 0
    check_stock(made.plan.jobs.values(), made.results)


def test_tables_that_a_document_asks_for_are_written_by_the_command_that_is_named(finished, tmp_path, capsys):
    study = finished.copy(tmp_path / "Ergebnisse für mich")
    for table in study.results.rglob("declared.*"):
        table.unlink()
    line = ["paper", str(study.file), "--results", str(study.results)]
    follow(refused(line, capsys), study)
    assert main(line) == 0
