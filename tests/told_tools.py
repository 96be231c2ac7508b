"""What ``look`` prints of each data set, what the report's data section says of it, and whether both say the same."""

import csv
import re
from pathlib import Path

FACTS = ("without a label", "classes missing from train", "classes missing from test", "classes of one image")
"""What both say in the same words, or neither says."""


def looked(printed: str) -> dict[str, str]:
    """Name of a data set -> its lines, of what ``look`` printed."""
    return dict(re.findall(r"^(\w+) \(\w+, \w+\)\n((?:  .*\n?)+)", printed, re.MULTILINE))


def reported(study: Path) -> dict[str, dict[str, str]]:
    """Name of a data set -> what -> found, of the table in a study's folder of results."""
    told: dict[str, dict[str, str]] = {}
    name = ""
    with (study / "tables" / "data.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["data set"] or name
            told.setdefault(name, {})[row["what"]] = row["found"]
    return told


def check_same(lines: str, found: dict[str, str]) -> None:
    """Layout, images and classes of both splits, what some lack, strips, and what is left out, are the same in both."""
    for split in ("train", "test"):
        classes = re.sub(r": (\d+)", r" \1", found[split].split("; ")[-1])
        assert f"  {split}: {found[split].split(' images')[0]} images\n    classes: {classes}\n" in lines
    if "  layout: " in lines:  # tars have none to be found
        assert f"  layout: {found['layout']}\n" in lines
    for what in FACTS:
        said = re.findall(rf"^  {what}: (.*)$", lines, re.MULTILINE)
        assert said == ([found[what]] if what in found else []), what
    strips = [name for names in re.findall(r"extreme shapes: \d+ of \d+: (.*)", lines) for name in names.split("; ")]
    named = re.findall(r"\S+ \(\d+x\d+\)", found.get("extreme shapes", "").partition("(")[2])
    assert sorted(strips) == sorted(named)
    left = {what.removeprefix("left out: "): words for what, words in found.items() if what.startswith("left out: ")}
    (line,) = re.findall(r"^  left out: (.*)$", lines, re.MULTILINE)
    assert (line == "nothing") == (not left)
    for kind, words in left.items():
        assert f"; {words.split()[0]} {kind}" in f"; {line}", (kind, line)
