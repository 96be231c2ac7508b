"""What other tools leave in the environment changes nothing, or is refused by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_tools import make_folder
from study_tools import Made

from pipelines.building.devices import data_workers
from pipelines.cli import main
from pipelines.errors import EnvironmentFault
from pipelines.launching.processes import GROUP, LEAST, process_group
from pipelines.surroundings import FORMS, unfit

ROOT = Path(__file__).parents[2]
STUDY = """
question: Größe?
dataset: {{use: imagefolder, name: mine, folder: "{root}/Fotos 日本"}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 4}}
evaluation: [{{use: knn, k: 3}}]
floors: false
"""


def looked(folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``look`` at a folder whose classes have names of other languages, in these surroundings."""
    make_folder(folder / "Fotos 日本", {"große Katze": 4, "猫": 4})
    (folder / "x.yaml").write_text(STUDY.format(root=folder), encoding="utf-8")
    call = [sys.executable, "-m", "pipelines", "look", str(folder / "x.yaml")]
    return subprocess.run(call, cwd=ROOT, env=os.environ | environment, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("environment", "told"),
    [({"LC_ALL": "C"}, "große Katze 3"), ({"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, "gro\\xdfe Katze 3")],
)
def test_any_locale_tells_the_names_of_classes(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    done = looked(tmp_path, **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert told in done.stdout.decode()


def test_file_names_that_would_be_misread_are_refused_by_the_variable(tmp_path: Path) -> None:
    done = looked(tmp_path, LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the environment makes Python read the names of files as ascii (PYTHONUTF8=0")
    assert done.stderr.count(b"\n") == 1


LEFT = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_RUN_ID": "0" * 32, "MLFLOW_EXPERIMENT_NAME": "other",
    "MLFLOW_REGISTRY_URI": "http://127.0.0.1:9", "SNAKEMAKE_PROFILE": "/nowhere", "PYTHONPATH": "/nowhere",
    "CUDA_VISIBLE_DEVICES": "7", "OMP_NUM_THREADS": "abc", "SLURM_JOB_ID": "x", "SLURM_NTASKS": "4",
    "MKL_NUM_THREADS": "x", "NUMEXPR_MAX_THREADS": "x", "TORCH_HOME": "/nowhere", "TMPDIR": "/nowhere", "HOME": "/nowhere",
    "XDG_CACHE_HOME": "/nowhere", "MPLBACKEND": "Qt5Agg", "MPLCONFIGDIR": "/nowhere", "TZ": "Nowhere/City", "COLUMNS": "x",
    "GIT_DIR": "/nowhere", "SLURM_PROCID": "3", "LOCAL_RANK": "3", "MASTER_PORT": "x", "http_proxy": "http://127.0.0.1:9",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "abc", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "x",
    "MASTER_ADDR": "nowhere", "OPTUNA_STORAGE": "sqlite:////nowhere/x.db",
}  # fmt: skip


def through(folder: Path) -> dict[str, dict[str, float]]:
    """A small study from its images to its verified records; "STAGE LABEL" -> metrics, without those of the clock."""
    make_folder(folder / "Fotos 日本", {"große Katze": 8, "猫": 8})
    made = Made.of(STUDY.format(root=folder), folder)
    made.run(*made.plan.of("pretrain"), *made.plan.of("evaluate"))
    study, results = folder / "study.yaml", ["--results", str(made.results)]
    out = made.results / "study"
    assert main(["collect", "--plan", str(out / "plan.json"), *results, "--out", str(out)]) == 0
    for stage in ("plan", "status", "verify"):
        assert main([stage, str(study), *results]) == 0
    return {
        f"{job.stage} {made.plan.names[job.place].told}": {
            name: value for name, value in made.record(job)["metrics"].items() if "second" not in name
        }
        for job in [*made.plan.of("pretrain"), *made.plan.of("evaluate")]
    }


THROUGH = """
import json, sys
from pathlib import Path
sys.path[:0] = ["tests", "tests/workflow"]
from test_surroundings import through
found = through(Path(sys.argv[1]))
Path(sys.argv[1], "found.json").write_text(json.dumps(found))
"""


def test_variables_of_other_tools_change_no_number_of_any_stage(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "left").mkdir()
    call = [sys.executable, "-c", THROUGH, str(tmp_path / "left")]
    done = subprocess.run(call, cwd=ROOT, env=os.environ | LEFT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    plain = through(tmp_path / "plain")
    assert len(plain) == 2
    assert json.loads((tmp_path / "left" / "found.json").read_text()) == plain


@pytest.mark.parametrize("name", FORMS)
def test_a_variable_that_a_library_would_fail_of_is_refused_by_name(monkeypatch, capsys, name: str) -> None:
    monkeypatch.setenv(name, "abc")
    assert main(["status", "nowhere.yaml"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: the environment has {name}=abc, which must be ")
    assert said.endswith("; unset it, or mend it\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE_DATE_EPOCH", "315532800"),
        ("WDS_CACHE_SIZE", "1e9"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
    ],
)
def test_what_those_libraries_take_is_no_fault(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert unfit() is None


def test_a_python_without_docstrings_is_refused_before_anything_is_trained() -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "pipelines", "status", "x.yaml"], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the environment makes Python leave out docstrings (PYTHONOPTIMIZE=2 or -OO)")


@pytest.mark.parametrize(
    "left", [{"RANK": "0"}, {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}]
)
def test_a_rank_that_another_tool_left_is_refused_and_not_waited_for(monkeypatch, left: dict[str, str]) -> None:
    for name in GROUP:
        monkeypatch.delenv(name, raising=False)
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(
            EnvironmentFault, match=r"has RANK and not .*TORCHELASTIC_RUN_ID: another tool left it.*unset RANK"
        ),
        process_group(),
    ):
        pass


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
def test_a_number_of_the_group_that_is_none_is_refused_by_name(monkeypatch, name: str, value: str) -> None:
    for each in GROUP:
        monkeypatch.setenv(each, "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentFault, match=f"the environment has {name}={value}, which must be"), process_group():
        pass


def test_no_process_beside_is_refused(monkeypatch) -> None:
    for each in GROUP:
        monkeypatch.setenv(each, "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "0")
    with (
        pytest.raises(EnvironmentFault, match="LOCAL_WORLD_SIZE=0, which must be a whole number from 1"),
        process_group(),
    ):
        pass


@pytest.mark.parametrize("left", [{}, {"RANK": "1"}, {"RANK": "1", "LOCAL_WORLD_SIZE": "0"}, {"LOCAL_WORLD_SIZE": "x"}])
def test_without_a_group_nobody_shares_the_cores_whatever_srun_or_mpirun_set(monkeypatch, left: dict[str, str]) -> None:
    for name in ("RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = data_workers(None)
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert data_workers(None) == alone
