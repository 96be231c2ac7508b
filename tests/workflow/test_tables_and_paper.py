"""The targets tables and paper: from records alone, with the local profile, as often as they are asked for."""

import json
import shutil
from pathlib import Path

import pytest
from report_tools import finish
from snakemake_tools import TINY, snakemake, workplace

from pipelines.cli import main
from pipelines.errors import EnvironmentFault
from pipelines.files import write_json
from pipelines.report import paper as paper_document
from pipelines.spec.plan import plan_file

TABLES = """
tables:
  - {name: everything, caption: All of it.}
  - {name: second, caption: One row., rows: [moco]}
"""


def place(folder: Path, studies: tuple[str, ...] = ("tiny",)) -> Path:
    """A workplace whose studies declare tables, and a config that names them under tables."""
    workplace(folder)
    for name in studies:
        (folder / f"{name}.yaml").write_text(TINY.read_text() + TABLES)
    config = json.loads((folder / "workflow" / "config.yaml").read_text())
    files = [f"{name}.yaml" for name in studies]
    (folder / "workflow" / "config.yaml").write_text(json.dumps({**config, "studies": files[:1], "tables": files}))
    return folder


@pytest.mark.slow
def test_both_targets_run_no_job_and_run_again(tmp_path: Path) -> None:
    folder = place(tmp_path, ("tiny", "other"))
    results = folder / "results"
    done = snakemake(folder, target="paper")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Not run yet: everything, second, everything, second; run snakemake" in done.stdout + done.stderr
    assert not (results / "tiny").exists()
    assert not (results / "jobs").exists()
    one_record(folder / "tiny.yaml", results)  # the other study shares it, but was not begun
    done = snakemake(folder, target="paper")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {path.name for path in (results / "tiny" / "tables").iterdir()} == {
        f"{name}.{ending}" for name in ("everything", "second") for ending in ("tex", "md", "csv", "html")
    }
    assert not (results / "other").exists()
    assert (results / "paper" / "paper.tex").read_text().count(r"\input{") == 2
    assert (results / "paper" / "paper.pdf").exists() == any(map(shutil.which, paper_document.ENGINES))
    assert len(list((results / "jobs").rglob("record.json"))) == 1
    assert not (results / "mlflow.db").exists()
    (results / "tiny" / "tables" / "second.md").unlink()
    assert snakemake(folder, target="tables").returncode == 0
    assert (results / "tiny" / "tables" / "second.md").exists()


def one_record(file: Path, results: Path) -> None:
    """A study whose run was begun: one evaluation of its method, with a made-up number."""
    plan = plan_file(file).dump()
    write_json(results / plan["study"] / "plan.json", plan)
    job = next(job for job in plan["jobs"] if (job["stage"], job["label"]) == ("evaluate", "moco"))
    finish(results, job, metrics={"test/top1": 0.5})


def written(folder: Path) -> Path:
    """The study of a workplace with one record, its tables written; its file."""
    file = place(folder) / "tiny.yaml"
    one_record(file, folder / "results")
    assert main(["tables", str(file), "--results", str(folder / "results")]) == 0
    return file


def test_the_paper_holds_tables_and_the_figures_there_are_and_keeps_its_bytes(tmp_path: Path) -> None:
    file = written(tmp_path)
    results = tmp_path / "results"
    assert main(["paper", str(file), "--results", str(results)]) == 0
    text = (results / "paper" / "paper.tex").read_text()
    assert r"\input{../tiny/tables/everything.tex}" in text
    assert r"\section*{tiny}" in text
    assert "includegraphics" not in text
    if not (results / "paper" / "paper.pdf").exists():
        pytest.skip("no LaTeX here: the text was checked, the PDF was not made")
    before = (results / "paper" / "paper.pdf").read_bytes()
    (results / "tiny" / "figures").mkdir()
    shutil.copy(results / "paper" / "paper.pdf", results / "tiny" / "figures" / "training.pdf")  # any PDF is a figure
    assert main(["paper", str(file), "--results", str(results)]) == 0
    assert r"{../tiny/figures/training.pdf}" in (results / "paper" / "paper.tex").read_text()
    assert (results / "paper" / "paper.pdf").read_bytes() != before
    (results / "tiny" / "figures" / "training.pdf").unlink()
    assert main(["paper", str(file), "--results", str(results)]) == 0
    assert (results / "paper" / "paper.pdf").read_bytes() == before


def test_tables_that_were_not_run_are_named_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text().replace("momentum: 0.99", "momentum: 0.9").replace("everything", "nothing"))
    assert main(["paper", str(file), str(other), "--results", str(tmp_path / "results")]) == 0
    sentence = (
        f"Not run yet: nothing, second; run snakemake --profile local reproduce_all paper --config 'studies=[{other}]'."
    )
    assert sentence in capsys.readouterr().out
    text = (tmp_path / "results" / "paper" / "paper.tex").read_text()
    assert text.count("Not run yet") == 1
    assert r"\section*{other}" not in text
    assert not (tmp_path / "results" / "other").exists()


def test_without_latex_the_text_is_written_and_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path)
    monkeypatch.setattr(paper_document.shutil, "which", lambda name: None)
    assert main(["paper", str(file), "--results", str(tmp_path / "results")]) == 0
    assert "no PDF: there is no pdflatex or tectonic or lualatex on the PATH; install one" in capsys.readouterr().out
    assert (tmp_path / "results" / "paper" / "paper.tex").exists()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_a_table_that_latex_refuses_ends_with_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    table = tmp_path / "results" / "tiny" / "tables" / "second.tex"
    table.write_text(table.read_text().replace(r"\toprule", r"\tooprule"))
    assert main(["paper", str(file), "--results", str(tmp_path / "results")]) == 1
    told = capsys.readouterr().err
    assert "paper.tex: pdflatex stopped; it says:" in told
    assert "Undefined control sequence" in told


def test_a_table_that_was_not_written_and_a_study_without_any_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place(tmp_path) / "tiny.yaml"
    one_record(file, tmp_path / "results")
    assert main(["paper", str(file), "--results", str(tmp_path / "results")]) == 1
    told = capsys.readouterr().err
    assert f"everything.tex: no such file; write it with: python -m pipelines tables {file} --results" in told
    file.write_text(TINY.read_text())
    assert main(["paper", str(file), "--results", str(tmp_path / "results")]) == 1
    assert "no table is declared; add a list under tables" in capsys.readouterr().err


def test_latex_that_never_ends_is_ended_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "pdflatex"
    engine.write_text("#!/bin/sh\nexec sleep 60\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(paper_document, "LONGEST", 0.2)
    with pytest.raises(EnvironmentFault, match=r"paper\.tex: pdflatex has not ended after 0\.2 seconds; run pdflatex"):
        paper_document.write_document("text", tmp_path / "paper.tex")
