"""The kinds of parts follow one convention: options in spec, what they configure beside it, found by the folder."""

import importlib
from pathlib import Path

import pytest
from trainer_tools import INSTALLED

from pipelines.spec import kinds
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.jobs import Untrained

PACKAGE = Path(kinds.__file__).parents[1]
ROOMS = {"methods": "methods", "datasets": "sources", "encoders": "encoders", "evaluation": "evaluation"}
OFFERS = {"methods": "build", "datasets": "read", "encoders": "build", "evaluation": "measure"}
PARTS = [(kind, name) for kind in ROOMS for name in kinds.names(f"pipelines.spec.{kind}")]


@pytest.mark.parametrize(("kind", "name"), PARTS, ids="/".join)
def test_options_and_implementation_bear_the_same_name(kind, name):
    options = kinds.options_of(f"pipelines.spec.{kind}", name)
    assert options.model_fields["use"].default == name
    assert options.__doc__
    if kind == "methods" and name not in INSTALLED:
        pytest.skip(f"{name}: make install-peers")
    module = importlib.import_module(f"pipelines.{ROOMS[kind]}.{name}")
    assert callable(getattr(module, OFFERS[kind]))


@pytest.mark.parametrize(("kind", "name"), PARTS, ids="/".join)
def test_every_option_says_what_it_means(kind, name):
    options = kinds.options_of(f"pipelines.spec.{kind}", name)
    silent = {
        field
        for field, info in options.model_fields.items()
        if not info.description and field in options.__annotations__ and field != "use"
    }
    assert len(silent) <= 3, f"{kind}/{name}: {sorted(silent)} have no description"


def test_a_kind_that_there_is_not_is_refused():
    with pytest.raises(KeyError):
        kinds.options_of("pipelines.spec.methods", "base")


@pytest.mark.parametrize("name", kinds.names("pipelines.spec.encoders"))
def test_an_encoder_says_what_a_forward_pass_costs(name):
    kind = kinds.options_of("pipelines.spec.encoders", name)
    assert issubclass(kind, EncoderOptions)
    needed = {"timm": {"name": "resnet50"}, "checkpoint": {"path": "w.pth", "architecture": ResNet()}}
    options = kind(**needed.get(name, {}))
    assert options.forward_gflops(224) == pytest.approx(options.forward_gflops(112) * 4)
    assert options.short_name


@pytest.mark.parametrize("name", kinds.names("pipelines.spec.evaluation"))
def test_a_protocol_on_features_checks_what_it_is_given(name):
    kind = kinds.options_of("pipelines.spec.evaluation", name)
    assert issubclass(kind, Protocol)
    module = importlib.import_module(f"pipelines.evaluation.{name}")
    assert kind.on_images or callable(module.check)


@pytest.mark.parametrize("name", kinds.names("pipelines.spec.methods"))
def test_a_floor_of_any_method_can_be_told_from_others_by_its_hash(name):
    """Tables keep rows by what was measured; an option that is a mapping must not stand in the way."""
    kind = kinds.options_of("pipelines.spec.methods", name)
    floors = [Untrained(encoder=ResNet(depth=depth), method=kind()) for depth in (10, 10, 18)]
    assert len(set(floors)) == 2
    assert hash(floors[0]) == hash(floors[1])
