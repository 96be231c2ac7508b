"""The commands that messages and pages advise exist, take what they are given, and stay one line of words in any folder."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.advice import plan_again, rebuild, remade, repaired, typed

ROOT = Path(cli.__file__).parents[1]
SOURCES = [*sorted((ROOT / "pipelines").rglob("*.py"))]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
ODD = "/srv/Ergebnisse für mich; it's $HOME"
VALUE = "7"
"""Stands for what a message fills in."""


def understood(words: list[str]) -> bool:
    """Whether the command line takes these words."""
    try:
        cli.parser().parse_args(words)
    except SystemExit:
        return False
    return True


def calls(path: Path) -> Iterator[list[str]]:
    """The words of every call of ``typed`` in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "typed":
            yield [str(each.value) if isinstance(each, ast.Constant) else VALUE for each in node.args]


ADVISED = [(path.name, words) for path in SOURCES for words in calls(path)]


@pytest.mark.parametrize(("name", "words"), ADVISED, ids=str)
def test_what_a_message_advises_is_a_command(name: str, words: list[str]) -> None:
    stages = ("shards", "tune", "pretrain", "evaluate") if words[0] == VALUE else (words[0],)
    for stage in stages:
        assert understood([stage, *words[1:]]), f"{name}: {words}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_stage_that_a_sentence_names_exists(path: Path) -> None:
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    sentences = " ".join(text for text in texts if isinstance(text, str))
    assert set(re.findall(r"python -m pipelines ([a-z][a-z-]*)", sentences)) <= set(cli.STAGES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_of_the_documents_names_a_stage_and_its_flags(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"python -m pipelines ([a-z][^`#|)\n&>]*)", text):
        words = line.split()
        command = cli.STAGES[words[0]]
        part = (command.parts or {}).get(words[1] if len(words) > 1 else "", command)
        known = {argument.name for argument in (*command.arguments, *part.arguments)} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_advice_stays_one_line_of_words_in_any_folder() -> None:
    assert shlex.split(typed("repair", "a b.yaml", "--results", ODD))[3:] == ["repair", "a b.yaml", "--results", ODD]
    for advice in (plan_again(ODD), rebuild(Path(ODD))):
        words = shlex.split(advice.partition(": ")[2])
        assert words[:3] == ["python", "-m", "pipelines"]
        assert ODD in words
        assert understood(words[3:])


def test_what_has_to_be_deleted_is_one_word_of_a_shell_too() -> None:
    delete, _, run = remade("evaluate", Path(ODD)).partition(" and run: ")
    assert shlex.split(delete) == ["delete", f"{ODD}/record.json"]
    assert shlex.split(run)[3:] == ["evaluate", "--job", ODD]


def test_a_job_is_done_anew_by_two_commands_each_of_words_of_a_shell() -> None:
    folder = f"{ODD}/jobs/evaluate/key"
    aside, _, run = repaired("evaluate", Path(folder)).partition("; then run the same command of snakemake again, or: ")
    assert shlex.split(aside.partition(": ")[2])[3:] == ["repair", "STUDY", "--results", ODD]
    assert shlex.split(run)[3:] == ["evaluate", "--job", folder]
