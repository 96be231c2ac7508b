"""A study file, read and checked."""

import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipelines.errors import InputError
from pipelines.spec.base import NAME_IN_WORDS, Name
from pipelines.spec.layout import is_reserved
from pipelines.spec.methods import names, options_class
from pipelines.spec.mistakes import nearest, suggestion
from pipelines.spec.parse import check_keys, parse
from pipelines.spec.recipes import with_recipe
from pipelines.spec.scales import with_scale
from pipelines.spec.study import MethodEntry, Study
from pipelines.spec.study_files import study_file
from pipelines.spec.training import Training
from pipelines.spec.yaml_file import read_yaml

ENTRY_KEYS = ("label", "training", "encoder", "views", "view_recipe", "start", "grid")


CARRIES_ANCHORS = "x-"
"""Begins keys of a study that are left out, as in compose files: ``x-base: &base {...}`` carries what ``*base`` repeats."""


def load_study(path: Path) -> Study:
    """The study in a YAML file, or of a name, every key checked; InputError names file, key, value, rule and way out."""
    path = study_file(path)
    written = {key: value for key, value in read_yaml(path).items() if not key.startswith(CARRIES_ANCHORS)}
    data = {"name": path.stem, **with_scale(written, path)}
    _check_name(path, data["name"])
    _check_anchors(path, data)
    check_keys(Study, data, f"{path}: ")
    entries = data.get("methods", [])
    if not isinstance(entries, list) or not (entries or _has_checkpoint(data)):
        raise InputError(f"{path}: methods: must be a list of methods, each with 'use' or 'recipe'")
    methods = [_entry(path, f"{path}: methods[{i}]", entry) for i, entry in enumerate(entries)]
    data["ceiling"] = _ceiling(path, data.get("ceiling"), methods)
    parse(Training, data.get("training") or {}, f"{path}: training", "training")
    return parse(Study, {**data, "methods": methods}, f"{path}: ", "a study")


def _check_anchors(path: Path, data: dict[str, Any]) -> None:
    """InputError for a key that a study has not, with a YAML anchor behind it: it may be there for that alone."""
    for key in re.findall(r"^([\w-]+)[ \t]*:[ \t]+&", path.read_text(encoding="utf-8-sig"), re.MULTILINE):
        if key in data and key not in Study.model_fields:
            raise InputError(
                f"{path}: there is no key {key!r}; where it is there for its anchor alone, call it {CARRIES_ANCHORS}{key}, and "
                f"it is left out; else {suggestion(key, list(Study.model_fields))}"
            )


def _has_checkpoint(data: dict[str, Any]) -> bool:
    """Whether a study as written names weights from a file, which can be evaluated without any method."""
    named = data.get("encoders")
    encoders = [data.get("encoder"), *(named.values() if isinstance(named, dict) else ())]
    return any(isinstance(encoder, dict) and encoder.get("use") == "checkpoint" for encoder in encoders)


def _check_name(path: Path, name: Any) -> None:
    """InputError when the study's results could not stand in a folder of its name."""
    try:
        TypeAdapter(Name).validate_python(name, strict=True)
    except ValidationError:
        raise InputError(
            f"{path}: a study cannot be called {name!r}: it must be {NAME_IN_WORDS}; rename the file"
        ) from None
    if is_reserved(name):
        raise InputError(f"{path}: a study cannot be called {name}: results/{name} is something else; rename the file")


def _ceiling(path: Path, written: Any, methods: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry of the ceiling; None where it is off (null, false), and where the study lists a supervised method itself."""
    if written is None or written is False or any(entry["use"] == "supervised" for entry in methods):
        return None
    return _entry(path, f"{path}: ceiling", written)


def _entry(path: Path, where: str, entry: Any) -> dict[str, Any]:
    """A method's entry in the form of ``MethodEntry``, recipe merged in, options checked."""
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a mapping such as {{use: moco, version: 2}}, got {entry!r}")
    entry, recipe = with_recipe(entry, path, where)
    if entry.get("use") is None:
        near = next((key for key in entry if nearest(key, ["use", "recipe"])), None)
        meant = f".{near}: there is no such key; did you mean '{nearest(near, ['use', 'recipe'])}'?" if near else ""
        raise InputError(where + (meant or ": needs 'use' or 'recipe'"))
    use = entry.pop("use")
    if use not in names():
        raise InputError(f"{where}.use: there is no method {use!r}; {suggestion(str(use), list(names()))}")
    if "feature_transform" in entry:
        _check_transform(use, where)
    common = {key: entry.pop(key) for key in ENTRY_KEYS if key in entry}
    options = parse(options_class(use), entry, where, use, ENTRY_KEYS)
    parse(Training, common.get("training") or {}, f"{where}.training", "training")
    common.setdefault("label", options.short_name)
    common["recipe"] = recipe
    result = {"use": use, "given": entry, **{key: value for key, value in common.items() if value is not None}}
    parse(MethodEntry, result, where, "a method entry")
    return result


def _check_transform(use: str, where: str) -> None:
    """InputError with the reason where feature transformation has no meaning."""
    able = [name for name in names() if "feature_transform" in options_class(name).model_fields]
    if use not in able:
        raise InputError(
            f"{where}.feature_transform: it changes the two embeddings of an image, or the negatives, that a loss scores by "
            f"cosine; the paper and this project define it for {', '.join(able)}, not for {use}; leave it out"
        )
