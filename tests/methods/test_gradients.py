"""Every method's gradient on every path of its loss, in float64: by finite differences, or by an independent formula.

Methods are found by walking the folder. Finite differences see all that a loss depends on, so a value that was cut from
the graph by mistake is noticed. Where a paper holds a value constant that depends on the trained weights (a stop-gradient)
they would see too much; there a formula with that constant written out takes their place.
"""

import contextlib
import copy
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
import torch.nn.functional as F
from methods import formulas
from pydantic import ValidationError
from torch import Tensor, nn
from trainer_tools import INSTALLED, SIDE, FewImages, small_method, small_options

from pipelines.batch import Batch
from pipelines.methods.base import Method, Output, Progress
from pipelines.spec.methods import names, options_class
from pipelines.views.maker import ViewMaker

PATHS: dict[str, list[dict[str, Any]]] = {
    "byol": [{"predictor": "none"}],
    "clip": [{"duplicates": "multi_positive"}],
    "cmc": [{"loss": "info_nce"}],
    "cpc": [{"negatives": "sampled"}],
    "dim": [{"estimator": "info_nce"}, {"estimator": "info_nce", "own_score": None}, {"estimator": "dv", "gamma": 0.0}],
    "instdisc": [{"loss": "softmax"}, {"loss": "info_nce", "proximal": 1.0}],
    "invaspread": [{"detach": False}],
    "mae": [{"norm_pix": False}],
    "moco": [{"symmetric": True}],
    "pirl": [{"loss": "info_nce"}],
    "simclr": [{"scale": "code"}],
    "simsiam": [{"stop_gradient": False}, {"stop_gradient": False, "feature_transform": {"negative": None}}],
    "vicreg": [{"scale": "code"}],
}
"""Options that lead through other lines of a loss than the defaults do; a test wants every choice here or in NO_PATH."""
NETWORK, MOVES, START = (
    "another network, the same loss",
    "how a target moves after the step",
    "what a bank holds at first",
)
NO_PATH: dict[str, dict[str, str]] = {
    "byol": {"momentum_schedule": MOVES, "norm": NETWORK, "predictor_norm": NETWORK, "target_start": NETWORK},
    "cmc": {
        "split": "colours of the views",
        "pairs": "needs fields; tests/methods/test_cmc_fields.py",
        "bank_start": START,
    },
    "cpc": {"grey": NETWORK, "batch_norm": NETWORK},
    "dino": {"recipe": "defaults of training", "norm": NETWORK, "norm_last_layer": NETWORK, "momentum_schedule": MOVES},
    "instdisc": {"bank_start": START},
    "stable_pretraining": dict.fromkeys(
        ("method", "transforms"), "its classes stand beside it: test_stable_pretraining.py"
    ),
    "lightly": dict.fromkeys(
        ("method", "transforms", "norm", "norm_last_layer", "norm_pix"), "plain loops stand beside it: test_lightly.py"
    ),
    "moco": {"version": NETWORK, "head": NETWORK},
    "moco_v3": {"head": NETWORK, "freeze_patch_projection": NETWORK},
    "pirl": {"bank_start": START},
    "simclr": {"version": NETWORK},
    "simsiam": {"predictor": NETWORK, "norm": NETWORK, "constant_predictor_lr": "its learning rate"},
}
"""Choices that change no line of a loss, and why."""
TRANSFORMS: list[dict[str, Any]] = [
    {},
    {"negative": None},
    {"positive": None},
    {"negatives_meet": "original"},
    {"negatives_meet": "original", "negative": None},
    {"renormalise": "both"},
    {"renormalise": "positives", "negative": None},
    {"renormalise": "negatives"},
    {"ramp_epochs": 3.0},
    {"negative": {"queue": "union"}},
    {"negative": {"keeps": "length"}},
    {"positive": {"granularity": "vector"}, "negative": {"granularity": "vector"}},
    {"positive": {"granularity": "dimension"}, "negative": {"granularity": "row"}},
]
"""Of methods with feature transformation: both sides, positive only, negative only, and its other options."""
TRANSFORMABLE = {name: {"loss": "info_nce"} for name in ("instdisc", "pirl", "cmc")}
"""What a method needs to have feature transformation."""
FIXED = {"moco": {"momentum": 1.0}, "moco_v3": {"momentum": 1.0}}
"""Key networks that a loss moves after the trained one before it uses them: at momentum 1 they stay."""


def paths(name: str) -> list[dict[str, Any]]:
    """The options of every path of a method, without the transformations that it refuses."""
    given: list[dict[str, Any]] = [{}, *PATHS.get(name, [])]
    for transform in TRANSFORMS:
        with contextlib.suppress(ValidationError):
            options = {**TRANSFORMABLE.get(name, {}), "feature_transform": transform}
            small_options(name, **options)
            given.append(options)
    return [{**options, **FIXED.get(name, {})} for options in given]


@pytest.fixture(autouse=True)
def no_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    """SiLU in place of ReLU, whose corners finite differences step over."""
    monkeypatch.setattr(F, "relu", lambda x, inplace=False: F.silu(x))


def at(step: int) -> Progress:
    return Progress(step, 6, 1.5, 2, torch.Generator().manual_seed(step))


def prepared(name: str, options: dict[str, Any]) -> tuple[Method, list[Tensor], Batch]:
    """A method in float64, one step after its start and moved off it: no gain is 0, no target equals the network."""
    made = small_options(name, **options)
    batch = next(iter(FewImages(8).epoch(0)))
    views = ViewMaker(made.default_views(SIDE), SIDE, (0.5,) * 3, (0.25,) * 3)(batch, torch.Generator().manual_seed(0))
    method, views = small_method(made).double(), [view.double() for view in views]
    method.loss(views, batch, at(0))
    method.after_step(at(0))
    with torch.no_grad():
        for parameter in trained(method):
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return method, views, batch


def trained(method: Method) -> list[nn.Parameter]:
    """All that learns, but DIM's discriminator (it plays against the encoder) and SwAV's prototypes (made unit in place)."""
    aside = ("discriminator", "prototypes")
    return [p for key, p in method.named_parameters() if p.requires_grad and not key.startswith(aside)]


def value(output: Output) -> Tensor:
    """What the encoder descends on: without the loss of DIM's discriminator, which sees its features as constants."""
    return output.loss - output.scalars.get("discriminator", torch.zeros(()))


def gradients(loss: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if gradient is None else gradient for p, gradient in zip(parameters, found)]


STOPS: dict[str, tuple[formulas.Formula, str]] = {
    "simsiam": (formulas.simsiam, "stop_gradient"),
    "swav": (formulas.swav, ""),
    "invaspread": (formulas.invaspread, "detach"),
}
"""Methods with a stop-gradient of the paper: their formula, and the option that switches it off, if any."""
ALL = [(name, options) for name in INSTALLED for options in paths(name)]
STOPPED = [(name, options) for name, options in ALL if name in STOPS and options.get(STOPS[name][1], True)]
FREE = [case for case in ALL if case not in STOPPED]


def parametrize(chosen: list[tuple[str, dict[str, Any]]]) -> pytest.MarkDecorator:
    ids = [f"{name}-{options or 'defaults'}".replace("'", "") for name, options in chosen]
    return pytest.mark.parametrize(("name", "options"), chosen, ids=ids)


@parametrize(FREE)
def test_gradient_is_that_of_finite_differences(name, options):
    method, views, batch = prepared(name, options)
    parameters, size = trained(method), 1e-6
    gradient = gradients(value(method.loss(views, batch, at(1))), parameters)
    for seed in range(2):
        source = torch.Generator().manual_seed(seed)
        directions = [torch.randn(p.shape, generator=source, dtype=p.dtype) for p in parameters]
        losses = []
        for side in (size, -size):
            moved = copy.deepcopy(method)
            with torch.no_grad():
                for parameter, direction in zip(trained(moved), directions):
                    parameter.add_(side * direction)
            losses.append(value(moved.loss(views, batch, at(1))).item())
        slope = sum((g * direction).sum().item() for g, direction in zip(gradient, directions))
        assert (losses[0] - losses[1]) / (2 * size) == pytest.approx(slope, rel=1e-5)


@parametrize(STOPPED)
def test_gradient_is_that_of_the_formula_with_its_constants(name, options):
    method, views, batch = prepared(name, options)
    parameters = trained(method)
    output = method.loss(views, batch, at(1))
    expected = STOPS[name][0](method, views, at(1))
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(gradients(output.loss, parameters), gradients(expected, parameters))


@parametrize(ALL)
def test_monitors_get_constants_and_the_loss_keeps_its_graph(name, options):
    method, views, batch = prepared(name, options)
    output = method.loss(views, batch, at(1))
    assert output.loss.requires_grad
    for key, tensor in (output.watched | output.scalars).items():
        assert not tensor.requires_grad, f"{key} holds on to the graph"


def choices(annotation: Any) -> set[Any]:
    """The values that an option of this type can be chosen from; empty for numbers."""
    if annotation is bool:
        return {True, False}
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {value for part in get_args(annotation) for value in choices(part)}


@pytest.mark.parametrize("name", names())
def test_every_choice_of_a_method_is_tried_or_said_to_change_no_loss(name):
    kind = options_class(name)
    apart, defaults = NO_PATH.get(name, {}), kind()
    named = {option: choices(field.annotation) for option, field in kind.model_fields.items() if option != "use"}
    named = {option: values for option, values in named.items() if values}
    assert apart.keys() <= named.keys()
    needed = {
        (option, value)
        for option in named.keys() - apart.keys()
        for value in named[option] - {getattr(defaults, option)}
    }
    tried = [(option, value) for path in PATHS.get(name, []) for option, value in path.items()]
    assert [choice for choice in needed if choice not in tried] == []


@pytest.mark.parametrize("name", names())
def test_a_method_with_feature_transformation_is_tried_with_it(name):
    tried = [options["feature_transform"] for each, options in ALL if each == name and "feature_transform" in options]
    assert name not in INSTALLED or ({"negative": None} in tried) == (
        "feature_transform" in options_class(name).model_fields
    )
