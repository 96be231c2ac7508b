"""scikit-learn's digits: 1,797 grey images of 8 x 8 pixels in 10 classes (Alpaydin and Kaynak 1998, the UCI test part).

They come with the wheel. The data set has no split of its own: every fifth image (position % 5 == 4) is test.
"""

import numpy as np
from sklearn.datasets import load_digits

from pipelines.sources.base import Source, array_split
from pipelines.spec.datasets.digits import Options as Digits


def read(options: Digits) -> Source:
    """The digits, values 0 .. 16 stretched to 0 .. 255."""

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    test = np.arange(len(images)) % 5 == 4
    return Source(
        classes=tuple(str(name) for name in digits.target_names),
        train=array_split("train", images[~test], digits.target[~test]),
        test=array_split("test", images[test], digits.target[test]),
    )
