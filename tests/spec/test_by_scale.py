"""Values by scale: which one stands for a name, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputError
from pipelines.spec.by_scale import with_values
from pipelines.spec.load import load_study

SCALES = ["digits", "imagenet1k"]
TABLE = {"queue": {"digits": 512, "imagenet1k": 65536}}


def test_a_name_stands_for_the_value_of_the_scale_wherever_it_is() -> None:
    written = {"by_scale": TABLE, "grid": {"queue_size": ["$queue", 8]}, "claims": [{"first": {"at": {"q": "$queue"}}}]}
    for scale, value in TABLE["queue"].items():
        found = with_values({**written, "scale": scale}, "a.yaml", SCALES)
        assert found == {
            "scale": scale,
            "grid": {"queue_size": [value, 8]},
            "claims": [{"first": {"at": {"q": value}}}],
        }


def test_text_with_a_dollar_in_it_is_text() -> None:
    said = {"question": "Is $queue long?", "a": "$HOME", "b": "$queue"}
    found = with_values({"scale": "digits", "by_scale": TABLE, **said}, "a.yaml", SCALES)
    assert (found["question"], found["a"], found["b"]) == ("Is $queue long?", "$HOME", 512)
    assert with_values(said, "a.yaml", SCALES) == said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": None}, "by_scale: the study has no scale"),
        ({"by_scale": ["queue"]}, "by_scale: must be names with a value for each scale"),
        ({"by_scale": {"queue": 512}}, "by_scale: must be names with a value for each scale"),
        ({"by_scale": {"Queue": {"digits": 1}}}, "by_scale.Queue: a name here has small letters"),
        (
            {"by_scale": {"queue": {"digts": 1}}},
            "by_scale.queue.digts: there is no scale 'digts'; did you mean 'digits'?",
        ),
        (
            {"by_scale": {"queue": {"imagenet1k": 1}}},
            "by_scale.queue: has no value at scale digits, only at imagenet1k",
        ),
        ({"by_scale": {**TABLE, "spare": {"digits": 1}}}, "by_scale.spare: nothing in the study says $spare"),
        ({"b": ["$queu"]}, "a.yaml: b[0]: by_scale has no 'queu'; did you mean 'queue'?"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(changed: dict[str, Any], message: str) -> None:
    written = {"scale": "digits", "by_scale": TABLE, "a": "$queue", **changed}
    with pytest.raises(InputError) as error:
        with_values(written, "a.yaml", SCALES)
    assert message in str(error.value)


def test_a_study_is_checked_with_its_values(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "question: Q?\nscale: digits\nby_scale: {queue: {digits: 256}}\nmethods: [{recipe: moco_v2, queue_size: $queue}]\n"
    )
    assert load_study(file).methods[0].given["queue_size"] == 256
    file.write_text(file.read_text().replace("digits: 256", "digits: many"))
    with pytest.raises(InputError, match="queue_size"):
        load_study(file)
