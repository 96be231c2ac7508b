"""The shell lines of the rules: paths with blanks, quotes and umlauts stay one word, and nothing else gets in."""

import shlex
from pathlib import Path

import pytest
from snakemake_tools import snakemake, workplace

from pipelines.errors import InputError
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.units import Unit

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
    commands = [shlex.split(part) for line in lines for part in line.removeprefix("Shell command: ").split(" && ")]
    stages = {words[3] for words in commands if words[0] != "touch"}
    assert stages == {"shards", "tune", "pretrain", "evaluate", "collect", "report"}
    for words in commands:
        paths = [word for word in words if RESULTS.split()[0] in word]
        assert all(path == RESULTS or path.startswith(f"{RESULTS}/") for path in paths)
        if words[0] == "touch":
            assert words == ["touch", *paths]
            continue
        assert words[:3] == [PYTHON, "-m", "pipelines"]
        assert words[-3] in (">", ">>")
        assert words[-2].startswith(f"{RESULTS}/logs/")
        assert words[-1] == "2>&1"


@pytest.mark.slow
def test_a_job_runs_in_a_results_folder_with_a_blank_and_an_umlaut(tmp_path):
    folder = workplace(tmp_path)
    done = snakemake(folder, "--until", "shards", "--config", "results=Ergebnisse für mich")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(folder.glob("Ergebnisse für mich/jobs/shards/*/record.json"))) == 1
    assert (folder / "Ergebnisse für mich" / "mlflow.db").exists()
    assert [path.name for path in folder.glob("Ergeb*")] == ["Ergebnisse für mich"]


def shards(key: str) -> Job:
    return Job(key, ShardsSpec(dataset=Digits()), {})


def test_the_line_a_person_types_is_quoted_too():
    jobs = [shards("digits-0123abcd"), shards("digits-4567abcd")]
    folders = [str(job.folder(Path(RESULTS))) for job in jobs]
    command = Unit.of(jobs).command(Path(RESULTS))
    assert shlex.split(command) == ["python", "-m", "pipelines", "shards", "--job", *folders]


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "a;b", "größe", "$(x)", "a\nb", ""])
def test_no_name_of_a_study_breaks_out_of_a_job_s_folder(name):
    with pytest.raises(InputError, match="only letters, digits"):
        shards(name and f"untrained_{name}-0123abcd")
