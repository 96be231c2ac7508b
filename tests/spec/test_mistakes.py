"""One mistake in an otherwise good study gives one line, with the path, and with the word that was meant."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.spec.mistakes import nearest, suggestion
from pipelines.spec.plan import plan_file
from pipelines.spec.yaml_file import read_yaml

GOOD = read_yaml(Path(__file__).with_name("everything.yaml"))
Place = tuple[str | int, ...]
OPEN = {("grid",), ("methods", 0, "grid"), ("tuning", "space"), ("tuning", "extra"), ("tuning", "extra", "ft")}
"""Mappings whose keys are paths or labels of the study's own."""
WRONG = ({"x": 1}, [1], [[]], {}, [], "hot", "", None, True, -1, 5, 1.5, 1e9, "x\ny")

TOLD_ELSEWHERE = ("label", "methods", "use", "encoder", "queue_size", "batch_size", "extra", "ft", "space")
"""What other parts of the study refer to: a wrong value may be right in itself, and be missed there."""


def places(node: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield path, node
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def with_value(path: Place, value: Any) -> Any:
    study = copy.deepcopy(GOOD)
    node: Any = study
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return study


def with_key(path: Place, old: str, new: str) -> Any:
    node: Any = GOOD
    for key in path:
        node = node[key]
    renamed = {new if key == old else key: value for key, value in node.items()}
    return with_value(path, renamed) if path else renamed


def dotted(path: Place) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


PLACES = list(places(GOOD))
KEYS = [(path, key) for path, node in PLACES if isinstance(node, dict) and path not in OPEN for key in node]


@pytest.fixture(scope="module")
def refusal(tmp_path_factory):
    """A study's one-line refusal without the file's name, or '' when it is accepted."""
    path = tmp_path_factory.mktemp("mistakes") / "x.yaml"

    def of(study: Any) -> str:
        path.write_text(json.dumps(study))
        try:
            plan_file(path)
        except InputError as error:
            text = str(error)
        else:
            return ""
        assert "\n" not in text, text
        assert text.startswith(f"{path}: ")
        text = text.removeprefix(f"{path}: ")
        assert not text.startswith(":")
        assert ": :" not in text
        assert "this has" not in text
        return text

    return of


def test_the_study_without_a_mistake_is_good(refusal):
    assert refusal(GOOD) == ""


@pytest.mark.parametrize(("path", "key"), KEYS, ids=lambda value: value if isinstance(value, str) else dotted(value))
def test_a_misspelt_key_is_told_with_the_one_that_was_meant(refusal, path, key):
    for wrong in (key + key[-1], key.capitalize(), key[:-1] if len(key) > 3 else key + "s"):
        text = refusal(with_key(path, key, wrong))
        assert text.startswith(dotted((*path, wrong)) if path else f"there is no key '{wrong}'")
        assert text.endswith(f"did you mean '{key}'?")


@pytest.mark.parametrize(("path", "key"), KEYS, ids=lambda value: value if isinstance(value, str) else dotted(value))
def test_a_key_under_a_wholly_other_name_is_one_mistake_too(refusal, path, key):
    text = refusal(with_key(path, key, "zzz"))
    if key != "use":
        assert text.startswith(
            (dotted((*path, "zzz")), "there is no key 'zzz'", f"{dotted(path)}: needs 'use' or 'recipe'")
        )


@pytest.mark.parametrize("path", [path for path, _ in PLACES if path and path[-1] == "use"], ids=dotted)
def test_a_misspelt_use_is_told_with_the_one_that_was_meant(refusal, path):
    meant = next(node for place, node in PLACES if place == path)
    for wrong in (meant[:-1], meant.upper(), meant + "x"):
        text = refusal(with_value(path, wrong))
        assert text.startswith(f"{dotted(path)}: there is no ")
        assert text.endswith(f"did you mean '{meant}'?")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from([path for path, _ in PLACES if path]), st.sampled_from(WRONG), st.booleans())
def test_a_wrong_value_is_one_line_that_names_it(refusal, path, wrong, appended):
    there = next(node for place, node in PLACES if place == path)
    appended = appended and isinstance(there, list)
    text = refusal(with_value(path, [*there, wrong] if appended else wrong))
    named = [key for key in path if isinstance(key, str)][-2:]
    assert not text or any(key in text for key in named) or named[-1] in TOLD_ELSEWHERE


@pytest.mark.parametrize(
    ("path", "wrong", "message"),
    [
        (
            ("evaluation", 0, "use"),
            "transfer",
            "evaluation[0].use: there is no 'transfer'; there are: detection, distill,",
        ),
        (("evaluation",), [], "evaluation: must have at least 1 value, got 0"),
        (("evaluation", 0), {"k": 5}, "evaluation[0]: needs a 'use'; there are: detection, distill, "),
        (("evaluation", 5), {"use": "distill"}, "evaluation[5].teacher: is needed"),
        (("tuning",), {}, "tuning: needs 'trials', 'methods'"),
        (("training", "betas"), [], "training.betas: must have 2 values, got 0"),
        (("training", "betas"), [0.9], "training.betas: must have 2 values, got 1"),
        (("training", "betas"), [0.9, 0.9, 0.9], "training.betas: must have at most 2 values, got 3"),
        (("training", "epochs"), [1], "training.epochs: input should be a valid integer, got a list"),
        (("encoder",), 5, "encoder: must be a mapping of keys to values, got 5"),
        (("methods", 0, "label"), "a b", "methods[0].label: must be a name of letters, digits, '_', '.' and '-'"),
        (("dataset", "name"), "../x", "dataset.name: must be a name of letters, digits, '_', '.' and '-'"),
        (
            ("methods", 1, "use"),
            "byol",
            "methods[1].use: recipe simclr/cifar is for simclr; leave use out, or take another",
        ),
        (("tuning", "extra"), {"ftt": {}}, "tuning: extra.ftt: not among the methods to tune; did you mean 'ft'?"),
        (("tuning", "methods"), ["ft", "x"], "tuning.methods: no method is called x; there are ft, s, m, w, c"),
        (("question",), 5, "question: input should be a valid string, got 5"),
    ],
)
def test_the_line_says_what_to_do(refusal, path, wrong, message):
    assert refusal(with_value(path, wrong)).startswith(message)


def test_several_mistakes_are_a_line_each(tmp_path):
    study = with_value(("evaluation", 0, "k"), -1)
    study["encoder"] = {"use": "resnet", "dept": 18}
    (tmp_path / "x.yaml").write_text(json.dumps(study))
    with pytest.raises(InputError) as error:
        plan_file(tmp_path / "x.yaml")
    assert len(str(error.value).splitlines()) == 2


def test_long_lists_of_names_show_the_nearest():
    names = [f"name_{i}" for i in range(40)] + ["epoch_share"]
    text = suggestion("rate_of_epochs", names)
    assert "epoch_share" in text
    assert text.endswith(" and 31 more")
    assert suggestion("q", ["b", "a"]) == "there are: a, b"


@pytest.mark.parametrize(
    ("word", "meant"), [("SimCLR", "simclr"), ("MoCo", "moco"), ("moco-v3", "moco_v3"), ("q", None)]
)
def test_case_and_dashes_do_not_hide_what_was_meant(word, meant):
    assert nearest(word, ["simclr", "moco", "moco_v3"]) == meant


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "a;b", "$(x)", "größe", "-x", ".x", "", "a\nb", "x" * 61])
@pytest.mark.parametrize("path", [("methods", 0, "label"), ("dataset", "name"), ("tuning", "methods", 0)], ids=dotted)
def test_names_that_could_leave_a_folder_or_a_shell_line_are_refused(refusal, path, name):
    assert refusal(with_value(path, name)).startswith(f"{dotted(path)}: ")
