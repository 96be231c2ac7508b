"""A YAML file as plain values: text, finite numbers, truth values, nulls, lists, and mappings with text as keys.

Aliases and merge keys (``<<: *base``) work. What they would expand to is counted before anything is expanded, so that a
few lines cannot stand for billions of values.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import InputError

MOST_BYTES = 256 * 1024
MOST_VALUES = 100_000
"""After expansion of aliases."""
DEEPEST = 30
"""Levels of lists and mappings within each other, after expansion of aliases."""
TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
PLAIN = {
    "scalar": {f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null")},
    "sequence": {f"{TAG}seq"},
    "mapping": {f"{TAG}map"},
}
"""Kind of node -> the tags that it may have, given or not."""
KINDS = {f"{TAG}timestamp": "a date", f"{TAG}binary": "binary data", f"{TAG}set": "a set"}


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML with 1e-4 as a number; YAML 1.1 reads a string."""


_Loader.add_implicit_resolver(
    f"{TAG}float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"), list("-+0123456789.")
)
_INTEGER = re.compile(r"^[-+]?\d+$")
_Loader.add_constructor(
    f"{TAG}float",
    lambda loader, node: (
        int(node.value) if _INTEGER.match(node.value) else yaml.SafeLoader.construct_yaml_float(loader, node)
    ),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; InputError when it is missing, too large, not YAML or no mapping of plain values."""
    try:
        data = _load(_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else type(data).__name__
        raise InputError(f"{path}: must be a mapping of keys to values, got {found}")
    return data


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError("no such file") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); give a YAML file") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"has more than {MOST_BYTES // 1024} KiB; a file of settings is smaller")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8 text") from None


def _load(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):  # before any recursion over the values
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise InputError(f"{_line(event)}: is more than {DEEPEST} levels deep")
    loader = _Loader(text)
    node = loader.get_single_node()
    if node is None:
        return None
    _Sizes(loader).of(node)
    return loader.construct_document(node)


class _Sizes:
    """Checks every node once, and says how large and how deep it is with all aliases written out."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.known: dict[yaml.Node, tuple[int, int] | None] = {}

    def of(self, node: yaml.Node) -> tuple[int, int]:
        """(values, levels)."""
        if node not in self.known:
            self.known[node] = None
            _check(self.loader, node)
            inner = [self.of(child) for child in _children(node)]
            size = 1 + sum(values for values, _ in inner)
            depth = 1 + max((levels for _, levels in inner), default=0)
            if size > MOST_VALUES or depth > DEEPEST + 1:
                limits = f"{MOST_VALUES:,} values or {DEEPEST} levels"
                raise InputError(f"{_line(node)}: stands for more than {limits} with its aliases written out")
            self.known[node] = size, depth
        found = self.known[node]
        if found is None:
            raise InputError(f"{_line(node)}: contains itself, by an alias")
        return found


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check(loader: Any, node: Any) -> None:
    """InputError for what is no plain value, with its line and the way out."""
    if node.tag not in PLAIN[node.id]:
        value = f"{node.value[:40]!r} " if isinstance(node, yaml.ScalarNode) else ""
        kind = KINDS.get(node.tag, f"of the type {node.tag.replace(TAG, '!!')}")
        raise InputError(f"{_line(node)}: {value}is {kind} in YAML, which no setting is; write text in quotes")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    elif isinstance(node, yaml.ScalarNode):
        try:
            value = loader.construct_object(node)
        except (ValueError, LookupError):
            raise InputError(f"{_line(node)}: {node.value[:40]!r} is no {node.tag.removeprefix(TAG)}") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{_line(node)}: {node.value} is no finite number")


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if key.tag == MERGE:
            continue
        if key.tag != f"{TAG}str":
            shown = repr(key.value[:40]) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise InputError(f"{_line(key)}: a key must be text, and {shown} is not; write it in quotes")
        if not key.value.isprintable():
            raise InputError(f"{_line(key)}: the key {key.value[:40]!r} must be one line of plain text")
        if key.value in seen:
            raise InputError(f"{_line(key)}: '{key.value}' is given twice")
        seen.add(key.value)


def _line(marked: Any) -> str:
    return f"line {marked.start_mark.line + 1}"
