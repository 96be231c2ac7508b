"""Every recipe that has a source against it, field by field: all but the small ones, which were chosen here.

recipe_sources/NAME.yaml holds, for each scale of experiments/recipes/NAME.yaml, what its source states of the resolved spec:
blocks shared with other recipes (blocks.yaml), then statements of its own, which lie over them. A field that no line names,
or a line that names no field, fails: a changed default cannot bend a recipe unnoticed.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.load import load_study
from pipelines.spec.recipes import RECIPES
from pipelines.spec.resolve import resolve
from pipelines.spec.yaml_file import read_yaml

SOURCES = Path(__file__).parent / "recipe_sources"
STUDY = "question: Q?\nmethods: [{{recipe: {name}/{scale}}}]\nseeds: [0]\nevaluation: [{{use: knn}}]\n"
CHOSEN_HERE = ("paper", "small")
"""What needs no source: the title, and settings that were chosen here by measuring."""
RECIPES_HERE = [
    (file.stem, scale)
    for file in sorted(RECIPES.glob("*.yaml"))
    for scale in read_yaml(file)
    if scale not in CHOSEN_HERE
]


@dataclass(frozen=True)
class Stated:
    """A field's value and who says so."""

    value: Any
    source: str


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SOURCES / f"{name}.yaml").read_text())
    return found


def resolved(name: str, scale: str, folder: Path) -> PretrainSpec:
    """The recipe as a job would train it, every default written out, on the data its source has."""
    data = read(name)[scale].get("data") or (
        {"use": "cifar10"}
        if scale == "cifar"
        else {"use": "imagefolder", "name": "imagenet", "folder": "data/imagenet", "image_size": 224}
    )
    file = folder / "study.yaml"
    study = {"dataset": data, "encoder": {"use": "resnet", "depth": 34}}
    file.write_text(STUDY.format(name=name, scale=scale) + yaml.safe_dump(study))
    found = load_study(file)
    return resolve(found, found.methods[0], {}, found.pretraining_sets[0]).pretraining(0)


def fields(spec: PretrainSpec) -> dict[str, Any]:
    """Path -> value of all that decides the result: method, encoder, training, and each kind of view."""
    dump = spec.model_dump(mode="json")
    dump["training"] = spec.training.content()
    kinds = dump["views"].pop("augmentations")
    parts = {name: dump[name] for name in ("method", "encoder", "training", "views")}
    parts["views"] |= {str(i): kind for i, kind in enumerate(kinds)}
    return flat(parts)


def flat(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in value.items():
        found |= flat(each, f"{path}{name}.") if isinstance(each, dict) and each else {f"{path}{name}": each}
    return found


@cache
def stated(name: str, scale: str) -> dict[str, Stated]:
    """Path -> what is stated of it, wildcards unspent. A path that two blocks name is a mistake of these files."""
    entry, blocks, found = read(name)[scale], read("blocks"), {}
    for block in entry.get("blocks", []):
        for path, value in blocks[block]["values"].items():
            assert path not in found, f"{name}/{scale}: {path} is stated by two blocks"
            found[path] = Stated(value, blocks[block]["source"])
    for statement in entry["stated"]:
        assert statement["source"].removeprefix("ours:").strip(), (
            f"{name}/{scale}: a statement without source or reason"
        )
        found |= {path: Stated(value, statement["source"]) for path, value in statement["values"].items()}
    return found


def of(path: str, lines: dict[str, Stated]) -> Stated | None:
    """The line for a field: its own, else the one for every view."""
    head, _, rest = path.partition(".")
    everywhere = f"views.*.{rest.partition('.')[2]}" if head == "views" else path
    return lines.get(path) or lines.get(everywhere)


def differences(found: dict[str, Any], lines: dict[str, Stated]) -> list[str]:
    """One line for every field that differs from its source, or has none."""
    result = []
    for path, value in found.items():
        line = of(path, lines)
        if line is None:
            result.append(f"{path}: {value} has no source")
        elif line.value != value:
            result.append(f"{path}: {value}, but {line.value} by {line.source}")
    return result


@pytest.mark.parametrize(("name", "scale"), RECIPES_HERE)
def test_a_recipe_is_its_source(name: str, scale: str, tmp_path: Path) -> None:
    assert differences(fields(resolved(name, scale, tmp_path)), stated(name, scale)) == []


@pytest.mark.parametrize(("name", "scale"), RECIPES_HERE)
def test_every_line_is_of_a_field(name: str, scale: str, tmp_path: Path) -> None:
    found = fields(resolved(name, scale, tmp_path))
    last = {path.rpartition(".")[2] for path in found}
    assert [path for path in stated(name, scale) if path not in found and not path.startswith("views.*.")] == []
    assert {path.rpartition(".")[2] for path in stated(name, scale)} <= last


def test_a_changed_default_is_noticed(tmp_path: Path) -> None:
    found = fields(resolved("dino", "cifar", tmp_path))
    assert "training.clip: 3.0, but None" in differences({**found, "training.clip": 3.0}, stated("dino", "cifar"))[0]
    assert differences({**found, "method.new": 1}, stated("dino", "cifar")) == ["method.new: 1 has no source"]


def test_every_block_is_used() -> None:
    used = {
        block
        for file in SOURCES.glob("*.yaml")
        if file.stem != "blocks"
        for entry in read(file.stem).values()
        for block in entry["blocks"]
    }
    assert used == set(read("blocks"))
