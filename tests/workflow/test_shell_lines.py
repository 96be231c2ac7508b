"""The shell lines of the rules: paths with blanks, quotes and umlauts stay one word, and nothing else gets in."""

import shlex
from pathlib import Path

import pytest
from snakemake_tools import snakemake, workplace

from pipelines.errors import InputError
from pipelines.spec.job import Job

RESULTS = "Ergebnisse für mich; it's $HOME"
PYTHON = "/opt/my python/größe/bin/python"


@pytest.mark.slow
def test_odd_paths_stay_one_word_in_every_rule(tmp_path):
    folder = tmp_path / "mein Ordner mit ü"
    folder.mkdir()
    given = ("--config", f"results={RESULTS}", f"python={PYTHON}")
    done = snakemake(workplace(folder), "--dry-run", "--printshellcmds", *given, plain=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if " -m pipelines " in line]
    commands = [shlex.split(line.removeprefix("Shell command: ")) for line in lines]
    assert {words[3] for words in commands} == {"shards", "tune", "pretrain", "embed", "evaluate", "collect", "report"}
    for words in commands:
        assert words[:3] == [PYTHON, "-m", "pipelines"]
        paths = [word for word in words if RESULTS.split()[0] in word]
        assert all(path == RESULTS or path.startswith(f"{RESULTS}/") for path in paths)
        assert words[-3] in (">", ">>")
        assert words[-2].startswith(f"{RESULTS}/logs/{words[3]}/")
        assert words[-1] == "2>&1"
        options = [word for word in words if word.startswith("--")]
        assert len(words) == 4 + 2 * len(options) - ("--close" in options) + 3  # each option has one value


@pytest.mark.slow
def test_a_job_runs_in_a_results_folder_with_a_blank_and_an_umlaut(tmp_path):
    folder = workplace(tmp_path)
    done = snakemake(folder, "--until", "shards", "--config", "results=Ergebnisse für mich")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(folder.glob("Ergebnisse für mich/jobs/shards/*/record.json"))) == 1
    assert (folder / "Ergebnisse für mich" / "mlflow.db").exists()
    assert [path.name for path in folder.glob("Ergeb*")] == ["Ergebnisse für mich"]


def test_the_line_a_person_types_is_quoted_too():
    job = Job("embed", "moco-digits-s0-0123abcd", {}, {})
    folder = job.folder(Path(RESULTS))
    assert shlex.split(job.command(Path(RESULTS))) == ["python", "-m", "pipelines", "embed", "--job", str(folder)]


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "a;b", "größe", "$(x)", "a\nb", ""])
def test_no_name_of_a_study_breaks_out_of_a_job_s_folder(name):
    with pytest.raises(InputError, match="only letters, digits"):
        Job("embed", name and f"untrained_{name}-0123abcd", {}, {})
