"""A floor is the method's own encoder at step 0: which methods have one of their own is what they say of themselves."""

import pytest
import torch
from trainer_tools import CLASSES, COUNT, SIDE, every_method, small_options

from pipelines.building.methods import fresh_encoder, fresh_method
from pipelines.methods.base import DataFacts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.training import Training

FACTS = DataFacts(COUNT, CLASSES, SIDE, tuple(f"class {number}" for number in range(CLASSES)))
ENCODERS: list[EncoderOptions] = [ResNet(depth=10, width=8, stem="small"), ViT(size="micro", patch=4)]


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: encoder.use)
@every_method
def test_a_method_says_when_it_builds_its_encoder_its_own_way(name, encoder):
    options = small_options(name)
    try:
        options.check(Training(batch_size=16), encoder, None)
    except ValueError:
        pytest.skip("the method refuses this encoder")
    plain = fresh_encoder(encoder, SIDE, seed=0).state_dict()
    born = fresh_method(options, encoder, FACTS, seed=0).encoder.state_dict()
    same = born.keys() == plain.keys() and all(torch.equal(born[key], plain[key]) for key in plain)
    assert same != options.own_encoder(encoder)
