"""The conda environments say what requirements.lock says: same packages, same versions, well-formed for conda."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = {path.stem: path for path in sorted((ROOT / "conda_envs").glob("*.yaml"))}
CONDA_TO_PYPI = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
ON_DEMAND = {"lightly", "stable-pretraining", "onnxruntime", "simplejpeg"}
"""What one kind of method needs and says so where it is missing (docs/peers.md), and what makes decoding faster where it is
there (docs/data.md): no environment carries them."""
MODULE_TO_PYPI = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml", "vl_convert": "vl-convert-python"}


def specs(name: str) -> list[str]:
    return yaml.safe_load(ENVIRONMENTS[name].read_text())["dependencies"]


def pins(name: str) -> dict[str, str]:
    """PyPI name -> version of an environment's lines, python left out."""
    pairs = [spec.split("=") for spec in specs(name)]
    return {CONDA_TO_PYPI.get(package, package): version for package, version in pairs if package != "python"}


def locked() -> dict[str, str]:
    """PyPI name -> the version requirements.lock installs with the environments' Python on 64-bit Linux."""
    environment = {str(key): str(value) for key, value in default_environment().items()}
    environment |= {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
    environment |= {"platform_machine": "x86_64"}
    lines = re.findall(r"^([a-z0-9][^\\\n]*?) *\\?$", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    wanted = [Requirement(line) for line in lines]
    chosen = [item for item in wanted if item.marker is None or item.marker.evaluate(environment)]
    return {canonicalize_name(item.name): str(item.specifier).removeprefix("==") for item in chosen}


def imported(folder: Path) -> set[str]:
    """PyPI names of the packages that the files of a folder import at any depth."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {"pipelines"}
    return {canonicalize_name(MODULE_TO_PYPI.get(module, module)) for module in foreign}


def test_there_is_one_environment_for_each_kind_of_stage():
    assert set(ENVIRONMENTS) == {"plan", "train", "report"}


def test_the_lock_is_read_whole():
    text = (ROOT / "requirements.lock").read_text()
    assert len(locked()) > 100
    assert locked()["numpy"] in text
    assert Version(locked()["numpy"]) < Version("2.5")  # the line for Python 3.11


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_line_is_an_exact_conda_spec(name: str):
    for spec in specs(name):
        parsed = MatchSpec(spec, strict=True)
        assert parsed.name is not None, spec
        assert parsed.version is not None, spec
        assert re.fullmatch(r"[a-z0-9-]+=[0-9][0-9a-z.]*", spec), f"{spec}: write name=version"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_pins_equal_the_lock(name: str):
    lock = locked()
    assert pins(name) == {package: lock.get(package) for package in pins(name)}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_lines_are_sorted_and_channels_leave_out_the_defaults(name: str):
    assert specs(name)[0] == "python=3.11"
    assert specs(name)[1:] == sorted(specs(name)[1:], key=lambda spec: spec.split("="))
    assert yaml.safe_load(ENVIRONMENTS[name].read_text())["channels"][-1] == "nodefaults"


def test_every_dependency_of_the_project_has_an_environment():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgresql"]]
    names = {canonicalize_name(Requirement(text).name) for text in wanted}
    assert names <= set().union(*(pins(name) for name in ENVIRONMENTS))


def test_a_stage_finds_what_its_code_imports():
    assert imported(ROOT / "pipelines" / "spec") <= set(pins("plan")) & set(pins("train")) & set(pins("report"))
    assert imported(ROOT / "pipelines" / "report") <= set(pins("report"))
    assert imported(ROOT / "pipelines") - ON_DEMAND <= set().union(*(pins(name) for name in ENVIRONMENTS))


def test_planning_and_reporting_do_without_torch():
    assert "torch" in pins("train")
    assert "torch" not in pins("plan")
    assert "torch" not in pins("report")
