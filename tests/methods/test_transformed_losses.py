"""Feature transformation in every method that has it: value and gradient of each option against a formula written out."""

import contextlib
from typing import Any

import pytest
import torch
from methods import transformed
from methods.test_gradients import FIXED, TRANSFORMABLE, at, gradients, prepared, trained
from pydantic import ValidationError
from trainer_tools import small_options

from pipelines.spec.methods import names, options_class

OPTIONS: dict[str, dict[str, Any]] = {
    "released": {},
    "alphas": {"positive": {"alpha": 0.3}, "negative": {"alpha": 1.0}},
    "vector": {"positive": {"granularity": "vector"}, "negative": {"granularity": "vector"}},
    "row": {"positive": {"granularity": "sample"}, "negative": {"granularity": "row"}},
    "dimension": {"positive": {"granularity": "dimension"}, "negative": {"granularity": "dimension"}},
    "constant key": {"positive": {"key_gradient": False}},
    "ramp": {"ramp_epochs": 3.0},
    "union": {"negative": {"queue": "union"}},
    "length": {"negative": {"keeps": "length"}},
    "sphere": {"renormalise": "both"},
    "positives on the sphere": {"renormalise": "positives"},
    "negatives on the sphere": {"renormalise": "negatives"},
    "original query": {"negatives_meet": "original"},
    "hardness": {"negatives_meet": "original", "positive": {"keeps": "hardness"}},
    "gain": {"negatives_meet": "original", "positive": {"keeps": "gain"}},
}
PAIRS = ("byol", "simsiam", "swav")
"""They have no negatives: the positive side alone."""
SCORES = ("cmc", "instdisc", "pirl", "simclr")
"""They mix the scores of their negatives, which needs one weight a step."""
NEEDS_VECTORS = {"vector", "row", "dimension", "length", "sphere", "negatives on the sphere"}
ABLE = [name for name in names() if "feature_transform" in options_class(name).model_fields]


def given(name: str, option: str) -> dict[str, Any]:
    """The options of a method with this transformation, the negative side off where there are no negatives."""
    transform = OPTIONS[option] | ({"negative": None} if name in PAIRS else {})
    return {**TRANSFORMABLE.get(name, {}), **FIXED.get(name, {}), "feature_transform": transform}


def refused(name: str) -> set[str]:
    """What docs/feature_transformation.md says a method does not have."""
    if name in PAIRS:
        return {"hardness", "gain", "sphere", "negatives on the sphere"}
    without_key = {"constant key"} if name == "simclr" else set()
    return NEEDS_VECTORS | without_key if name in SCORES else set()


def test_these_are_all_methods_with_feature_transformation() -> None:
    assert sorted(ABLE) == sorted([*PAIRS, *SCORES, "moco"])


@pytest.mark.parametrize("name", ABLE)
def test_exactly_what_has_no_meaning_for_a_method_is_refused(name: str) -> None:
    def allowed(option: str) -> bool:
        with contextlib.suppress(ValidationError):
            return bool(small_options(name, **given(name, option)))
        return False

    assert {option for option in OPTIONS if not allowed(option)} == refused(name)


CASES = [(name, option, {}) for name in ABLE for option in OPTIONS if option not in refused(name)]
CASES += [
    ("moco", option, more)
    for option in ("released", "union")
    for more in ({"symmetric": True}, {"version": 1, "hidden": None})
]
CASES += [("simsiam", option, {"stop_gradient": False}) for option in ("released", "constant key")]


@pytest.mark.parametrize(("name", "option", "more"), CASES, ids=lambda value: str(value) if value else "")
def test_loss_and_gradient_are_those_of_the_formula(name: str, option: str, more: dict[str, Any]) -> None:
    method, views, batch = prepared(name, given(name, option) | more)
    formula: transformed.Formula = getattr(transformed, name)
    output, expected = method.loss(views, batch, at(1)), formula(method, views, batch, at(1))
    torch.testing.assert_close(output.loss, expected, rtol=1e-6, atol=1e-6)  # factors are drawn and moved in float32
    found, wanted = (gradients(loss, trained(method)) for loss in (output.loss, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert any(gradient.abs().max() > 1e-3 for gradient in wanted)


@pytest.mark.parametrize("name", ABLE)
def test_outside_of_its_epochs_the_loss_is_the_plain_one(name: str) -> None:
    """``at(1)`` is in epoch 1.5."""
    losses = []
    for window in ({"start_epoch": 1.6}, {"end_epoch": 1.5}, {"start_epoch": 1.5, "end_epoch": 1.6}):
        options = given(name, "released")
        options["feature_transform"] = options["feature_transform"] | window
        method, views, batch = prepared(name, options)
        plain, *rest = prepared(name, {**options, "feature_transform": None})
        losses.append(torch.equal(method.loss(views, batch, at(1)).loss, plain.loss(*rest, at(1)).loss))
    assert losses == [True, True, False]
