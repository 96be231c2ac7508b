"""What an experiment may say of its evaluations."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.errors import InputError
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.parse import parse

ADAPTER: TypeAdapter[Knn | Linear] = TypeAdapter(AnyEvaluation)


def test_use_selects_the_kind() -> None:
    assert ADAPTER.validate_json('{"use": "knn", "k": 200}') == Knn(k=200)
    assert ADAPTER.validate_json('{"use": "linear", "lrs": [1, 3]}') == Linear(lrs=(1.0, 3.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"use": "knn", "k": 0},
        {"use": "knn", "k": []},
        {"use": "knn", "k": [5, 0]},
        {"use": "knn", "k": [5, 5]},
        {"use": "knn", "k": True},
        {"use": "knn", "temperature": 0.01},
        {"use": "knn", "lrs": [1.0]},
        {"use": "linear", "lrs": []},
        {"use": "linear", "lrs": [0.0]},
        {"use": "linear", "momentum": 1.0},
        {"use": "linear", "weight_decays": [-1.0]},
        {"use": "nearest"},
    ],
)
def test_what_has_no_meaning_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(wrong)


def test_one_k_stays_a_number_and_several_are_a_list() -> None:
    """The spec of a job that has one k is what it was, and so is the job's key."""
    assert Knn().model_dump(mode="json") == {"use": "knn", "k": 20, "temperature": 0.07}
    several = ADAPTER.validate_json('{"use": "knn", "k": [5, 20]}')
    assert several == Knn(k=(5, 20))
    assert several.model_dump(mode="json")["k"] == [5, 20]
    assert (Knn().all_k, Knn(k=(5, 20)).all_k) == ((20,), (5, 20))
    with pytest.raises(
        InputError, match=r"^evaluation.k: has to be a whole number of at least 1, or a list .*, got 0$"
    ):
        parse(AnyEvaluation, {"use": "knn", "k": 0}, "evaluation")


def test_every_option_is_described() -> None:
    for kind in (Knn, Linear):
        fields = {name: field for name, field in kind.model_fields.items() if name != "use"}
        assert all(field.description for field in fields.values())
