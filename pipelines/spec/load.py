"""A study file, read and checked."""

import re
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import InputError
from pipelines.spec.parse import parse, suggestion
from pipelines.spec.recipes import with_recipe
from pipelines.spec.study import RESERVED, MethodEntry, Study
from pipelines.spec.training import Training

ENTRY_KEYS = ("label", "training", "encoder", "views", "view_recipe", "grid")


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML with 1e-4 as a number (YAML 1.1 reads a string) and without duplicate keys."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"line {node.start_mark.line + 1}: '{key}' is given twice")
    loader.flatten_mapping(node)
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"), list("-+0123456789.")
)
_INTEGER = re.compile(r"^[-+]?\d+$")
_Loader.add_constructor(
    "tag:yaml.org,2002:float",
    lambda loader, node: (
        int(node.value) if _INTEGER.match(node.value) else yaml.SafeLoader.construct_yaml_float(loader, node)
    ),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; InputError when it is missing, is not YAML or is no mapping."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a safe loader: plain data only
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: must be a mapping of keys to values, got {type(data).__name__}")
    return data


def load_study(path: Path) -> Study:
    """The study in a YAML file, every key checked; InputError names file, key, value, rule and way out."""
    data = read_yaml(path)
    entries = data.get("methods")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: methods: must be a list of methods, each with 'use' or 'recipe'")
    if path.stem in RESERVED:
        raise InputError(f"{path}: a study cannot be called {path.stem} (its results folder is taken); rename the file")
    methods = [_entry(path, i, entry) for i, entry in enumerate(entries)]
    parse(Training, data.get("training") or {}, f"{path}: training", "training")
    return parse(Study, {"name": path.stem, **data, "methods": methods}, f"{path}: ", "a study")


def _entry(path: Path, i: int, entry: Any) -> dict[str, Any]:
    """A method's entry in the form of ``MethodEntry``, recipe merged in, options checked."""
    from pipelines.spec.methods import names, options_class

    where = f"{path}: methods[{i}]"
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a mapping such as {{use: moco, version: 2}}, got {entry!r}")
    entry = with_recipe(entry, path, where)
    use = entry.pop("use", None)
    if use not in names():
        raise InputError(f"{where}.use: there is no method '{use}'; {suggestion(str(use), list(names()))}")
    if "feature_transform" in entry and "feature_transform" not in options_class(use).model_fields:
        able = [name for name in names() if "feature_transform" in options_class(name).model_fields]
        raise InputError(
            f"{where}.feature_transform: it changes the two embeddings of an image, or the negatives, that a loss scores by "
            f"cosine; the paper and this project define it for {', '.join(able)}, not for {use}; leave it out"
        )
    common = {key: entry.pop(key) for key in ENTRY_KEYS if key in entry}
    options = parse(options_class(use), entry, where, use)
    parse(Training, common.get("training") or {}, f"{where}.training", "training")
    common.setdefault("label", options.short_name)
    result = {"use": use, "given": entry, **{key: value for key, value in common.items() if value is not None}}
    parse(MethodEntry, result, where, "a method entry")
    return result
