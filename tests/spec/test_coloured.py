"""What needs red, green and blue is refused for images of other channels, and the refusal's own words make it work."""

import pytest

from pipelines.errors import InputError
from pipelines.spec.bands import Bands
from pipelines.spec.coloured import check_colours, check_same_channels
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.methods.cmc import Options as CMC
from pipelines.spec.methods.cpc import Options as CPC
from pipelines.spec.resolve import changed
from pipelines.spec.views import Views

FIVE = ImageFolder(name="five", folder="x", channels=5)
RGB = ImageFolder(name="plain", folder="x")


def test_colour_operations_are_refused_by_name_and_go_as_the_refusal_says():
    with pytest.raises(
        ValueError, match=r"grayscale 0.2.*saturation.*hue.*views: \{grayscale: 0, jitter: \[0.4, 0.4, 0, 0\]"
    ):
        check_colours(Views(), FIVE)
    check_colours(changed(Views(), {"grayscale": 0.0, "jitter": [0.4, 0.4, 0.0, 0.0]}), FIVE)
    check_colours(Views(), RGB)


def test_methods_that_mix_colours_refuse_other_channels():
    for options in (CMC(), CPC()):
        with pytest.raises(ValueError, match="5 channels"):
            options.check_channels(5)
        options.check_channels(3)
    CMC(split="edges").check_channels(5)
    CPC(grey=False).check_channels(5)


def test_encoders_are_measured_on_their_own_kind_of_images():
    check_same_channels("it", 5, FIVE)
    with pytest.raises(InputError, match="takes images of 5 channels"):
        check_same_channels("it", 5, RGB)


def test_what_is_not_given_is_no_part_of_the_content():
    assert not {"channels", "value_range"} & set(RGB.model_dump())
    assert Bands(channels=2).model_dump() == {"channels": 2}
    with pytest.raises(ValueError, match="set channels too"):
        Bands(value_range=((0, 1),))
