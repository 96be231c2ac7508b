"""Code: what a result's digest depends on, and what it does not."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import code
from pipelines.code import Code, changed, sources_of
from pipelines.errors import InputError
from pipelines.spec.jobs import EvaluateSpec, RunSpec, ShardsSpec
from pipelines.spec.made_by import code_of
from pipelines.spec.methods import names
from pipelines.spec.plan import plan_file

ROOT = code.PACKAGE.parent


def roots(method: str) -> list[str]:
    """What a pretraining with a ResNet loads by name."""
    named = (
        "stages.pretrain",
        f"methods.{method}",
        f"spec.methods.{method}",
        "encoders.resnet",
        "spec.encoders.resnet",
    )
    return [f"pipelines.{name}" for name in named]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package, to be changed."""
    return Path(shutil.copytree(code.PACKAGE, tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__")))


def package(folder: Path, **files: str) -> Path:
    """A package ``ours``; __ in a name stands for a folder."""
    for name, text in {"__init__": "", **files}.items():
        path = folder / "ours" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for above in path.parents:
            if above == folder:
                break
            (above / "__init__.py").touch()
    return folder / "ours"


def now(package: Path, *modules: str) -> Code:
    code._closure.cache_clear()
    return sources_of(modules, package)


PLAIN = """
WIDTH = 3

def f(x: int, *, y=None) -> str:
    if x > WIDTH:
        return f"{x!r:>5} and" " more"
    return {**{}, None: [1.0, 2j, b"a", ..., x[1:2]]}

class A:
    kind: int = 1
"""
OTHERWISE_WRITTEN = '''"""A docstring of the module."""
# a comment
WIDTH = 3  # wide
"""What it means."""

def f(
    x: int,
    *,
    y=None,
) -> str:
    """A docstring."""
    if (x > WIDTH):
        return f'{x!r:>5} and more'
    return {
        **{},
        None: [1.0, 2j, b'a', ..., (x[1:2])],
    }

class A:
    """Another."""

    kind: int = 1
    "An attribute's."
'''


def test_comments_docstrings_and_formatting_mean_nothing(tmp_path: Path) -> None:
    place = package(tmp_path, a=PLAIN)
    before = now(place, "ours.a")
    package(tmp_path, a=OTHERWISE_WRITTEN)
    assert now(place, "ours.a") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("WIDTH = 3", "WIDTH = 4"), ("x > WIDTH", "x >= WIDTH"), ("1.0", "1"), (":>5", ":>6"), ("y=None", "y=0"),
     ("None: [", "'None': ["), ("kind: int = 1", "kind: float = 1"), ("class A:", "class A(int):"), ("*, y", "y"),
     ("x[1:2]", "x[1:]"), (" more", " More")],
)  # fmt: skip
def test_every_other_change_means_something(tmp_path: Path, old: str, new: str) -> None:
    place = package(tmp_path, a=PLAIN)
    before = now(place, "ours.a")
    package(tmp_path, a=PLAIN.replace(old, new))
    assert changed(before.files, now(place, "ours.a").files) == ["ours/a.py"]


def test_what_only_type_checkers_read_and_the_release_number_are_left_out(tmp_path: Path) -> None:
    place = package(tmp_path, a="X = 1\n", b="Y = 1\n")
    before = now(place, "ours.a")
    (place / "__init__.py").write_text('__version__ = "2.0"\n')
    (place / "a.py").write_text("if TYPE_CHECKING:\n    from ours.b import Y\nX = 1\n")
    assert now(place, "ours.a") == before
    (place / "a.py").write_text("if not TYPE_CHECKING:\n    from ours.b import Y\nX = 1\n")
    assert "ours/b.py" in now(place, "ours.a").files


@pytest.mark.parametrize(
    "line",
    [
        "import ours.deep.b",
        "from ours.deep import b",
        "from ours.deep.b import thing as other",
        "from . import b",
        "from .b import thing",
        "from .. import deep\nfrom ..deep.b import thing",
        "def f():\n    if f:\n        from ours.deep import b",
        "import importlib\ndef f():\n    return importlib.import_module('ours.deep.b').thing",
        "from importlib import import_module\nthing = import_module('ours.deep.b').thing",
        "try:\n    import os\nexcept ImportError:\n    from .b import *",
    ],
)
def test_imports_are_found_in_every_form(tmp_path: Path, line: str) -> None:
    place = package(tmp_path, deep__a=line, deep__b="from ours import c", c="import json, os.path", unused="")
    assert list(now(place, "ours.deep.a").files) == [
        "ours/__init__.py",
        "ours/c.py",
        "ours/deep/__init__.py",
        "ours/deep/a.py",
        "ours/deep/b.py",
    ]


def test_a_package_that_loads_by_name_does_not_bring_all_its_modules(tmp_path: Path) -> None:
    by_name = "import importlib\ndef build(name): return importlib.import_module(f'{__name__}.{name}')"
    place = package(tmp_path, stage="from ours.kinds import build", kinds__a="", kinds__b="")
    (place / "kinds" / "__init__.py").write_text(by_name)
    assert list(now(place, "ours.stage", "ours.kinds.a").files) == [
        "ours/__init__.py",
        "ours/kinds/__init__.py",
        "ours/kinds/a.py",
        "ours/stage.py",
    ]


BY_USE = {
    *("cli.py", "spec/kinds.py", "methods/__init__.py", "encoders/__init__.py", "sources/base.py"),
    *("building/measuring.py", "building/pretraining.py", "report/sections/__init__.py"),
}
"""What loads a module by a name of the study or of the command: ``code_of`` names those itself."""


def loaded_by_name(path: Path) -> list[ast.Call]:
    """The calls that import a module, and those that would hide one from this test."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    ways = ("import_module", "__import__", "exec_module", "run_module", "run_path")
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] in ways]


def test_whatever_is_loaded_by_name_is_seen_or_named_by_the_study() -> None:
    unseen = set()
    for path in sorted(code.PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for call in loaded_by_name(path):
            if isinstance(call.args[0], ast.Constant):
                name = str(call.args[0].value)
                assert f"{name.replace('.', '/')}.py" in sources_of([module]).files, f"{path}: {name}"
            else:
                unseen.add(path.relative_to(code.PACKAGE).as_posix())
    assert unseen == BY_USE


def test_every_part_of_a_job_is_among_its_code() -> None:
    for job in plan_file(ROOT / "experiments" / "all_methods.yaml").jobs.values():
        files, spec = code_of(job.spec).files, job.spec
        wanted = {f"stages/{spec.stage}"}
        if isinstance(spec, ShardsSpec):
            wanted |= {f"sources/{spec.dataset.use}", f"spec/datasets/{spec.dataset.use}", "sources/deep_png"}
        if isinstance(spec, RunSpec):
            wanted |= {f"methods/{spec.method.use}", f"encoders/{spec.encoder.use}", "sources/deep_png"}
            assert "pipelines/views/lightly.py" not in files
        if isinstance(spec, EvaluateSpec):
            wanted |= {f"evaluation/{spec.evaluation.use}", f"spec/evaluation/{spec.evaluation.use}"}
            assert ("pipelines/building/looks.py" in files) == (spec.evaluation.use == "knn")
        assert {f"pipelines/{name}.py" for name in wanted} <= set(files), spec


def test_modules_may_import_each_other(tmp_path: Path) -> None:
    place = package(tmp_path, a="from ours import b", b="def f():\n    from ours.a import g", c="import ours.c")
    assert set(now(place, "ours.a").files) == set(now(place, "ours.b").files) == {
        "ours/__init__.py", "ours/a.py", "ours/b.py"
    }  # fmt: skip
    assert "ours/c.py" in now(place, "ours.c").files


def test_what_a_job_does_not_use_can_be_left_out(tmp_path: Path) -> None:
    place = package(tmp_path, a="from ours.b import x\nfrom ours.deep.d import y", b="import ours.c", c="", deep__d="")
    assert list(sources_of(["ours.a"], place, without=["ours.b", "ours.deep"]).files) == [
        "ours/__init__.py",
        "ours/a.py",
    ]


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\n\x00"])
def test_a_file_that_is_not_python_is_named(tmp_path: Path, text: str) -> None:
    place = package(tmp_path, a="import ours.b", b=text)
    with pytest.raises(InputError, match=r"ours/b\.py: not valid Python"):
        now(place, "ours.a")


def test_a_module_that_does_not_exist_is_named(tmp_path: Path) -> None:
    place = package(tmp_path, a="import ours.nothing")
    with pytest.raises(InputError, match=r"ours/a\.py: there is no module ours\.nothing"):
        now(place, "ours.a")
    with pytest.raises(InputError, match=r"no module ours\.gone"):
        now(place, "ours.gone")


def test_changed_names_new_and_gone_files() -> None:
    assert changed({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ["b", "c (gone)", "d (new)"]


def test_a_constant_deep_down_changes_the_methods_that_use_it_and_no_other(copy: Path) -> None:
    before = {method: sources_of(roots(method), copy) for method in ("simclr", "invaspread", "moco", "byol")}
    loss = copy / "losses" / "nt_xent.py"
    loss.write_text("# a remark\n" + loss.read_text())
    assert all(now(copy, *roots(method)) == found for method, found in before.items())
    assert "2 * loss" in loss.read_text()
    loss.write_text(loss.read_text().replace("2 * loss", "3 * loss"))
    after = {method: now(copy, *roots(method)) for method in before}
    assert changed(before["simclr"].files, after["simclr"].files) == ["pipelines/losses/nt_xent.py"]
    assert before["simclr"].digest != after["simclr"].digest
    assert [method for method in before if before[method] != after[method]] == ["simclr"]


def test_no_method_brings_another_with_it() -> None:
    methods = names()
    assert len(methods) > 15
    for method in methods:
        files = sources_of(roots(method)).files
        assert {f"pipelines/methods/{method}.py", "pipelines/training/loop.py", "pipelines/batch.py"} <= files.keys()
        others = {f"pipelines/methods/{name}.py" for name in methods if name != method}
        assert not others & files.keys()
        assert not {"pipelines/encoders/vit.py", "pipelines/encoders/timm.py"} & sources_of(roots("moco")).files.keys()


def test_everything_that_python_loads_is_seen() -> None:
    """All but other kinds' options and what they need, which reading a spec loads by name."""
    script = (
        f"import importlib, sys\nfor name in {roots('moco')}: importlib.import_module(name)\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'pipelines'], sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    loaded = {Path(line).relative_to(ROOT).as_posix() for line in done.stdout.split()}
    unseen = loaded - sources_of(roots("moco")).files.keys()
    assert len(loaded) > 80
    assert {path for path in unseen if not path.startswith(("pipelines/spec/", "pipelines/listing/"))} == set()
