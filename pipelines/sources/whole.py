"""A whole image as a network takes it, of the channels that its data set has."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.sources.channels import channels_of, picture, square_channels
from pipelines.sources.images import Decoding, open_image, square, to_array


def whole(data: bytes, decoding: Decoding, side: int, channels: int) -> NDArray[np.uint8]:
    """(channels, side, side): short side resized, centre cropped, see ``square``. Raises Unreadable."""
    if decoding.channels:
        return square_channels(channels_of(data, decoding), side)
    return to_array(square(open_image(data, decoding), side), channels)


def shown(data: bytes, decoding: Decoding) -> Image.Image:
    """The whole image for a person to look at, see ``channels.picture``. Raises Unreadable."""
    return picture(channels_of(data, decoding)) if decoding.channels else open_image(data, decoding)
