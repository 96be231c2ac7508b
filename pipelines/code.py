"""The code that made a result: those of our modules that a job imports, each with a digest of its meaning.

What counts is found in the import statements of the sources, wherever they stand, so that planning can tell without
importing anything. ``import_module("a.b")`` counts as an import too. Modules loaded by a name that is only known at run
time are not seen: the caller names them.
A meaning leaves out comments, docstrings, formatting, the release number and imports for type checkers alone.
"""

import ast
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import InputError

PACKAGE = Path(__file__).parent
LENGTH = 12
"""Hex digits of a digest."""
_SAYS_NOTHING = ("ctx", "kind", "type_comment")
"""Fields of a syntax node that tell how a thing is written or where it stands."""


@dataclass(frozen=True)
class Code:
    """files: path, seen from the folder that holds the package -> digest of its meaning; digest: of all of them."""

    digest: str
    files: dict[str, str]


class _Source(NamedTuple):
    digest: str
    modules: frozenset[str]
    """Imported names that have to be modules of ours."""
    names: frozenset[str]
    """Names taken from a module or package of ours: each may be a module too."""


def sources_of(modules: Iterable[str], package: Path = PACKAGE, without: Iterable[str] = ()) -> Code:
    """The named modules and all that they import of ours, directly or not, packages' ``__init__`` included.

    ``without``: modules, or packages with all in them, that the named ones import and this job does not use; what only
    they import is left out with them. The first answer to a question holds for the process, as imports do. InputError
    names a module that does not exist or a file that is not Python.
    """
    return _closure(package, frozenset(modules), frozenset(without))


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The files in which two ``Code.files`` differ, sorted; those that only one side has say so."""
    differing = sorted(path for path in {*old, *new} if old.get(path) != new.get(path))
    return [path + (" (new)" if path not in old else " (gone)" if path not in new else "") for path in differing]


@functools.cache
def _closure(package: Path, modules: frozenset[str], without: frozenset[str]) -> Code:
    found: dict[Path, _Source] = {}
    todo, seen = [(name, package) for name in sorted(modules)], set[str]()
    while todo:
        name, importer = todo.pop()
        if name in seen or without.intersection(_with_parents(name)):
            continue
        seen.add(name)
        path = _file(package, name)
        if path is None:
            raise InputError(f"{importer}: there is no module {name}; correct the name")
        source = found[path] = _read(path, path.stat(), name, package.name)
        wanted = source.modules | {each for each in source.names if _file(package, each)}
        todo += [(part, path) for each in (name, *wanted) for part in _with_parents(each)]
    files = {path.relative_to(package.parent).as_posix(): source.digest for path, source in sorted(found.items())}
    return Code(_digest(repr(files)), files)


def _with_parents(module: str) -> Iterator[str]:
    """a.b.c -> a, a.b, a.b.c: what Python runs to import it."""
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _file(package: Path, module: str) -> Path | None:
    """The file of a module of ``package``; none where there is no such module."""
    top, *rest = module.split(".")
    base = package.joinpath(*rest)
    places = [base / "__init__.py", *([base.with_name(f"{base.name}.py")] if rest else [])]
    return next((place for place in places if top == package.name and place.is_file()), None)


def _read(path: Path, stat: os.stat_result, module: str, ours: str) -> _Source:
    """One file, parsed once while it stays as it is."""
    return _parsed(path, stat.st_mtime_ns, stat.st_size, module, ours)


@functools.cache
def _parsed(path: Path, mtime_ns: int, size: int, module: str, ours: str) -> _Source:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not valid Python ({error}); mend it, or restore it from version control") from None
    modules: set[str] = set()
    names: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if alias.name.split(".")[0] == ours}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, path)
            if base.split(".")[0] == ours:
                modules.add(base)
                names |= {f"{base}.{alias.name}" for alias in node.names}
        elif (loaded := _loaded(node)) and loaded.split(".")[0] == ours:
            modules.add(loaded)
    return _Source(_digest(_meaning(tree)), frozenset(modules), frozenset(names))


def _loaded(node: ast.AST) -> str | None:
    """The module that a call of ``import_module`` names, where it is written out."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
            args=[ast.Constant(value=str(name))],
        ):
            return name
    return None


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """The module that a ``from ... import`` names, its leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    above = parts[: len(parts) - node.level + (path.name == "__init__.py")]
    return ".".join([*above, *([node.module] if node.module else [])])


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _is_for_checkers(child):
            yield from _running(child)


def _meaning(value: Any) -> str:
    """The tree as text. Empty fields are left out, since versions of Python differ in which there are."""
    if isinstance(value, ast.Constant):
        return f"{type(value.value).__name__}:{value.value!r}"
    if isinstance(value, list):
        return f"[{','.join(_meaning(each) for each in value if not _is_silent(each))}]"
    if isinstance(value, ast.AST):
        fields = {name: _meaning(each) for name, each in ast.iter_fields(value) if name not in _SAYS_NOTHING}
        kept = (f"{name}={text}" for name, text in fields.items() if text not in ("None", "[]"))
        return f"{type(value).__name__}({','.join(kept)})"
    return repr(value)


def _is_silent(node: Any) -> bool:
    """A docstring, of whatever, the release number, or what only type checkers read."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__version__"
    return _is_for_checkers(node)


def _is_for_checkers(node: Any) -> bool:
    named = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return named and not node.orelse


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
