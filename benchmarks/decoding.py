"""How fast photographs become crops: ways to decode a JPEG, each followed by the two crops of 224 pixels that training cuts.

    python benchmarks/decoding.py --json benchmarks/results/decoding.json

One thread, pictures made here: smooth noise of several scales, of the size of ImageNet's and of a camera's. The smooth ones
have a third of the bytes of ImageNet's, so that real ones take longer to decode; the fine ones (``FINE``) have as many. A way
is as good as Pillow where its crops have the very same pixels; the rows say by how much they differ.
"""

import io
import statistics
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_jpeg

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired, seconds
from pipelines.randomness import generator
from pipelines.sources.pixels import pixels, simplejpeg
from pipelines.views.crops import cut, sample_boxes

SIDE, CROPS = 224, 2
GRAIN = ((128, 0.6), (32, 0.25), (8, 0.12), (2, 0.06))
"""Pixels between the points of smooth noise, and their share."""
FINE = (*GRAIN, (1, 0.4))
"""With so much detail that a picture has the bytes of one of ImageNet's, about 110 KB at 500 x 375."""
SIZES = {
    "500 x 375": (375, 500, GRAIN),
    "2000 x 1500": (1500, 2000, GRAIN),
    "500 x 375, fine": (375, 500, FINE),
    "2000 x 1500, fine": (1500, 2000, FINE),
}
"""Height, width and noise of the pictures."""
Box = tuple[int, int, int, int]


def picture(height: int, width: int, seed: int, noise: tuple[tuple[int, float], ...] = GRAIN) -> bytes:
    """A JPEG of quality 90 with detail of every size."""
    draws, image = generator(seed, "picture"), torch.zeros(3, height, width)
    for grain, share in noise:
        points = torch.rand((1, 3, height // grain + 2, width // grain + 2), generator=draws)
        image += share * F.interpolate(points, size=(height, width), mode="bicubic")[0]
    buffer = io.BytesIO()
    Image.fromarray((image.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


def boxes_of(height: int, width: int, seed: int) -> list[Box]:
    """Where MoCo v2 would cut."""
    found = sample_boxes(CROPS, height, width, (0.2, 1.0), (3 / 4, 4 / 3), generator(seed, "boxes")).tolist()
    return [tuple(box) for box in found]


def by_pillow(data: bytes) -> Tensor:
    """(3, H, W) uint8 by Pillow, copied into planes, as the loader did before."""
    image = np.ascontiguousarray(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1))
    return torch.from_numpy(image)


def by_pillow_as_it_lies(data: bytes) -> Tensor:
    """The same without putting the channels first in memory."""
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)


def by_torchvision(data: bytes) -> Tensor:
    return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)


def by_simplejpeg(data: bytes) -> Tensor:
    return torch.from_numpy(simplejpeg.decode_jpeg(data)).permute(2, 0, 1)


def by_ours(data: bytes) -> Tensor:
    """What the loader does."""
    return torch.from_numpy(pixels(data)).permute(2, 0, 1)


def crops(decode: Callable[[bytes], Tensor], data: bytes, boxes: list[Box]) -> list[Tensor]:
    """Decoded once, cut twice."""
    image = decode(data)
    return [cut(image, box, SIDE) for box in boxes]


def factor_of(boxes: list[Box]) -> int:
    """By how much the DCT may be scaled down so that no crop has to be enlarged for it."""
    smallest = min(min(box[2:]) for box in boxes)
    return next(factor for factor in (8, 4, 2, 1) if smallest >= factor * SIDE or factor == 1)


def crops_of_reduced(small: Tensor, factor: int, boxes: list[Box]) -> list[Tensor]:
    """Cut from an image that was scaled down while it was decoded."""
    return [cut(small, tuple(length // factor for length in box), SIDE) for box in boxes]


def reduced_by_pillow(data: bytes, boxes: list[Box]) -> list[Tensor]:
    """By its draft mode."""
    image, factor = Image.open(io.BytesIO(data)), factor_of(boxes)
    image.draft("RGB", (image.width // factor, image.height // factor))
    return crops_of_reduced(torch.from_numpy(np.array(image)).permute(2, 0, 1), factor, boxes)


def reduced_by_simplejpeg(data: bytes, boxes: list[Box]) -> list[Tensor]:
    """By its smallest height and width: it scales as far down as those allow, to a power of two."""
    factor = factor_of(boxes)
    height, width = simplejpeg.decode_jpeg_header(data)[:2]
    image = simplejpeg.decode_jpeg(data, min_height=-(-height // factor), min_width=-(-width // factor))
    assert image.shape[:2] == (-(-height // factor), -(-width // factor))
    return crops_of_reduced(torch.from_numpy(image).permute(2, 0, 1), factor, boxes)


WAYS: dict[str, Callable[[bytes, list[Box]], list[Tensor]]] = {
    "Pillow, into planes": partial(crops, by_pillow),
    "Pillow, as it lies": partial(crops, by_pillow_as_it_lies),
    "Pillow, draft": reduced_by_pillow,
    "torchvision": partial(crops, by_torchvision),
    **(
        {"simplejpeg": partial(crops, by_simplejpeg), "simplejpeg, DCT scaled": reduced_by_simplejpeg}
        if simplejpeg
        else {}
    ),
    "ours": partial(crops, by_ours),
}


def difference(ones: list[Tensor], others: list[Tensor]) -> float:
    """The largest mean difference of a crop, in steps of 1/255."""
    return max(float((one.float() - other.float()).abs().mean()) for one, other in zip(ones, others, strict=True))


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    warnings.filterwarnings("ignore", message=".*decoding.*")  # torchvision's is to go
    torch.set_num_threads(1)
    rounds, count = (1, 2) if arguments.quick else (7, 16)
    what = f"JPEG of quality 90 to {CROPS} crops of {SIDE} pixels (moco_v2's), one thread; medians of {rounds} rounds."
    settings = {"rounds": rounds, "pictures": count, "crops": CROPS, "side": SIDE}
    packages = ("pillow", "torch", "torchvision", *(["simplejpeg"] if simplejpeg else []))
    report = Report("decoding", what, packages, settings, arguments.quick)
    rows, raw = [], {}
    for name, (height, width, noise) in SIZES.items():
        pictures = [picture(height, width, seed, noise) for seed in range(count)]
        boxes = [boxes_of(height, width, seed) for seed in range(count)]

        def rate(way: Callable[..., list[Tensor]], pictures: list[bytes] = pictures, boxes: list = boxes) -> float:
            return count / seconds(lambda: [way(data, where) for data, where in zip(pictures, boxes, strict=True)])

        rates = in_turn({way: partial(rate, work) for way, work in WAYS.items()}, rounds)
        expected = [crop for data, where in zip(pictures, boxes) for crop in WAYS["Pillow, into planes"](data, where)]
        for way, work in WAYS.items():
            found = [crop for data, where in zip(pictures, boxes) for crop in work(data, where)]
            rows.append(row(f"{name}: {way}", statistics.median(rates[way]), "images/s"))
            off = difference(found, expected)
            bound = {"at_most": 0} if way == "ours" else {}
            rows.append(row(f"{name}: {way}, pixels off by", off, "of 255", **bound))
        gain = paired(rates["ours"], rates["Pillow, into planes"])
        rows.append(row(f"{name}: ours over Pillow into planes", gain, "x"))
        factors = [factor_of(where) for where in boxes]
        raw[name] = {"images_per_second": rates, "bytes": [len(data) for data in pictures], "factors": factors}
    report.finish(rows, raw, arguments.json)


if __name__ == "__main__":
    main()
