"""What other tools leave in the environment changes nothing, or is refused by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_tools import make_folder

ROOT = Path(__file__).parents[2]
STUDY = """
question: Größe?
dataset: {{use: imagefolder, name: mine, folder: "{root}/Fotos 日本"}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 4}}
evaluation: [{{use: knn, k: 3}}]
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
