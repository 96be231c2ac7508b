"""What an experiment may say of its evaluations."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear

ADAPTER: TypeAdapter[Knn | Linear] = TypeAdapter(AnyEvaluation)


def test_use_selects_the_kind() -> None:
    assert ADAPTER.validate_json('{"use": "knn", "k": 200}') == Knn(k=200)
    assert ADAPTER.validate_json('{"use": "linear", "lrs": [1, 3]}') == Linear(lrs=(1.0, 3.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"use": "knn", "k": 0},
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


def test_every_option_is_described() -> None:
    for kind in (Knn, Linear):
        fields = {name: field for name, field in kind.model_fields.items() if name != "use"}
        assert all(field.description for field in fields.values())
