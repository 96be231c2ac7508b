"""Settings that are off are no part of a key, so that adding them left every key as it was."""

import pytest

from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.imagenet import Options as ImageNet
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.simclr import Options as SimCLR
from pipelines.spec.training import HOW_TO_RUN, OFF, CollapseStop, Training
from pipelines.spec.views import Augmentation, Views


def content(**training: object) -> dict:
    views = Views(augmentations=(Augmentation(count=2),))
    given = {"method": SimCLR(), "encoder": ResNet(), "views": views, "dataset": Digits(), "seed": 0}
    return PretrainSpec(training=Training(**training), **given).content()


def test_what_is_off_is_what_the_defaults_say_and_left_out():
    assert {name: Training.model_fields[name].default for name in OFF} == OFF
    assert not set(OFF) & set(content()["training"])


@pytest.mark.parametrize(
    "on", [{"device_batch_size": 64}, {"compile": True}, {"collapse_stop": CollapseStop(epoch=3, spread=0.1)}]
)
def test_what_is_on_is_part_of_it(on):
    assert content(**on) != content()


def test_how_to_run_never_is():
    assert content(keep_epochs=(3, 5), workers=1) == content()
    assert not set(HOW_TO_RUN) & set(content()["training"])


def test_an_epoch_that_never_comes_cannot_be_kept():
    with pytest.raises(ValueError, match="keep_epochs: 7 comes after the last of the 5 epochs"):
        Training(epochs=5, keep_epochs=(2, 7)).check()


def test_a_large_data_set_keeps_no_tenth_for_choosing_unless_asked():
    plain, asked, whole = ImageNet(folder="x"), ImageNet(folder="x", holdout_most=None), 1_281_167
    assert plain.pretraining_images == whole - 10_000
    assert asked.pretraining_images == whole - round(whole / 10)
    assert "holdout_most" not in plain.model_dump()
    assert asked.model_dump()["holdout_most"] is None
    assert Digits().held_share(1437) == Digits().holdout
