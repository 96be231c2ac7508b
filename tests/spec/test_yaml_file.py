"""YAML files: plain values come out, or one sentence that names the file and the line."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.spec.yaml_file import DEEPEST, MOST_BYTES, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))


def refusal(folder, content: str | bytes) -> str:
    path = folder / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.perf_counter()
    with pytest.raises(InputError) as error:
        read_yaml(path)
    assert time.perf_counter() - started < 5
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "line 6: stands for more than 100,000 values or 30 levels with its aliases written out"),
        (MERGE_BOMB, "line 6: stands for more than 100,000 values"),
        (CHAIN, "line 31: stands for more than 100,000 values or 30 levels"),
        ("a: &a [*a]", "line 1: contains itself, by an alias"),
        ("a: &a {b: *a}", "line 1: contains itself, by an alias"),
        ("a: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "line 1: is more than 30 levels deep"),
        ("[" * 200_000, "line 1: is more than 30 levels deep"),
        ("# " + "x" * MOST_BYTES, "has more than 256 KiB"),
        ("label: 2024-01-01", "line 1: '2024-01-01' is a date in YAML, which no setting is; write text in quotes"),
        ("label: 2024-01-01 10:00:00", "line 1: '2024-01-01 10:00:00' is a date in YAML"),
        ("a: !!set {x, y}", "line 1: is a set in YAML"),
        ("a: !!binary aGk=", "line 1: 'aGk=' is binary data in YAML"),
        ("a: !!omap [x: 1]", "line 1: is of the type !!omap in YAML"),
        ("a: !mine 1", "line 1: '1' is of the type !mine in YAML"),
        ("a: !!python/object/apply:os.getcwd []", "line 1: is of the type !!python/object/apply:os.getcwd in YAML"),
        ("a: =", "line 1: '=' is of the type !!value in YAML"),
        ("x: 1\n? [a, b]\n: 1", "line 2: a key must be text, and a list or mapping is not; write it in quotes"),
        ("a: {5: 1}", "line 1: a key must be text, and '5' is not; write it in quotes"),
        ("a: {on: 1}", "line 1: a key must be text, and 'on' is not"),
        ("a: {2024-01-01: 1}", "line 1: a key must be text, and '2024-01-01' is not"),
        ('"a\\nb": 1', "line 1: the key 'a\\nb' must be one line of plain text"),
        ("a: {x: 1, x: 2}", "line 1: 'x' is given twice"),
        ("a: .nan", "line 1: .nan is no finite number"),
        ("a: [1e999]", "line 1: 1e999 is no finite number"),
        ("a: " + "9" * 5000, "line 1: '" + "9" * 40 + "' is no int"),
        ("a: !!int x", "line 1: 'x' is no int"),
        ("a: !!bool x", "line 1: 'x' is no bool"),
        ("a: !!str [x]", "line 1: is of the type !!str in YAML"),
        ("a: !!float {}", "line 1: is of the type !!float in YAML"),
        ("a: !!map x", "line 1: 'x' is of the type !!map in YAML"),
        ("a: {<<: 5}", "not valid YAML ("),
        ("a: *b", "not valid YAML ("),
        ("a: [", "not valid YAML ("),
        ("a: 1\n---\nb: 2", "not valid YAML ("),
        ("a: \0", "not valid YAML ("),
        ("question: Größe".encode("latin-1"), "byte 13 is not UTF-8; save the file as UTF-8 text"),
        ("", "must be a mapping of keys to values, got nothing"),
        ("- a", "must be a mapping of keys to values, got list"),
    ],
)
def test_what_is_no_plain_value_is_one_sentence_with_its_line(tmp_path, content, message):
    assert refusal(tmp_path, content).startswith(message)


def test_a_folder_and_a_missing_file_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\); give a YAML file$"):
        read_yaml(tmp_path)
    with pytest.raises(InputError, match=r"absent.yaml: no such file$"):
        read_yaml(tmp_path / "absent.yaml")


def test_aliases_and_merge_keys_work(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "base: &base {a: 1, b: [x]}\nmore: &more {c: 3, a: 5}\nsame: *base\none: {<<: *base, a: 2}\n"
        "two: {<<: [*base, *more], b: y}\nthree: {<<: {<<: *more, a: 7}, d: 4}\n"
    )
    assert read_yaml(path) == {
        "base": {"a": 1, "b": ["x"]},
        "more": {"c": 3, "a": 5},
        "same": {"a": 1, "b": ["x"]},
        "one": {"a": 2, "b": ["x"]},
        "two": {"a": 1, "b": "y", "c": 3},
        "three": {"a": 7, "c": 3, "d": 4},
    }


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert read_yaml(path) == {"a": 1, "b": "x"}


FRAGMENTS = (
    """a:_|-_|[|]|{|}|,_|:_|?_|&a_|*a|<<:_|!!set_|!!int_|!!float_|__|x|1|.5|1e9|.inf|2024-01-01|'q'|"q"|~|yes|# c|---"""
)
PIECES = st.sampled_from([*FRAGMENTS.replace("_", " ").split("|"), "\n", "|\n"])


def outcome(path) -> dict | str:
    try:
        return read_yaml(path)
    except InputError as error:
        return str(error)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()), st.binary(max_size=60)))
def test_any_bytes_are_a_mapping_or_one_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    found = outcome(path)
    assert isinstance(found, dict) or (found.startswith(f"{path}: ") and "\n" not in found)
