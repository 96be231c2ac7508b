"""Views a second of one core: the batched maker beside torchvision's v2 transforms on PIL images, one image at a time.

    python benchmarks/views.py [--rounds 10] --json benchmarks/results/views.json

Both take turns in one process with one thread: more threads do not help pictures of this size one at a time, and on a busy
machine make them wait for each other. The recipe is MoCo v2's, two views of 256 images; at 224 pixels, of 16.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired, seconds
from pipelines.batch import Batch
from pipelines.spec.views import Augmentation, Views
from pipelines.views.maker import ViewMaker
from pipelines.views.place import crop, draw_places, to_planes

# name: (images, channels, side of the image, side of the view)
CASES = {
    "28_to_32_grey": (256, 1, 28, 32),
    "28_to_32_rgb": (256, 3, 28, 32),
    "32_to_32_rgb": (256, 3, 32, 32),
    "96_to_96_rgb": (64, 3, 96, 96),
    "256_to_224_rgb": (16, 3, 256, 224),
}


def images_of(num: int, channels: int, side: int) -> torch.Tensor:
    """Smooth random images, (num, channels, side, side) uint8: neighbours alike, as in photographs."""
    coarse = torch.rand(num, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=side, mode="bicubic").mul(255).clamp(0, 255).to(torch.uint8)


Work = Callable[[], object]


def batched(images: torch.Tensor, size: int) -> Work:
    """Both views of the whole batch by this project's maker."""
    num = len(images)
    maker = ViewMaker(Views(augmentations=(Augmentation(count=2),)), size, [0.5] * 3, [0.25] * 3)
    batch = Batch(images=images, index=torch.arange(num), label=torch.zeros(num, dtype=torch.long))
    generator = torch.Generator().manual_seed(0)
    return lambda: maker(batch, generator)


def one_by_one(images: torch.Tensor, size: int) -> Work:
    """The same by torchvision on PIL images. Its blur has SimCLR's kernel, a tenth of the side."""
    from torchvision.transforms import v2

    kernel = max(3, size // 10 // 2 * 2 + 1)
    sigma = (0.1 * size / 224, 2.0 * size / 224)
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.2, 1.0)),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(kernel, sigma)], p=0.5),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    pictures = [v2.functional.to_pil_image(image.expand(3, -1, -1)) for image in images]
    return lambda: [torch.stack([transform(picture) for picture in pictures]) for _ in range(2)]


def crops_alone(images: torch.Tensor, size: int) -> dict[str, Work]:
    """One crop and flip of every image: by matrices (antialiased) and by one affine grid (not)."""
    num, _, height, width = images.shape
    generator = torch.Generator().manual_seed(0)
    place = draw_places(Augmentation(), torch.rand(num, generator=generator) < 0.5, height, width, size, generator)
    planes, pixels = to_planes(images), images / 255
    top, left, tall, wide = place.boxes.float().unbind(1)
    zero, sign = torch.zeros(num), torch.where(place.flips, -1.0, 1.0)
    across = torch.stack((sign * wide / width, zero, (2 * left + wide) / width - 1), 1)
    down = torch.stack((zero, tall / height, (2 * top + tall) / height - 1), 1)
    theta = torch.stack((across, down), 1)

    def by_grid() -> torch.Tensor:
        grid = F.affine_grid(theta, [num, planes.shape[0], size, size], align_corners=False)
        return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)

    return {"crop_by_matrices": lambda: crop(planes, place, size), "crop_by_grid": by_grid}


def measure(name: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of every work of one case, round by round."""
    num, channels, side, size = CASES[name]
    images = images_of(num, channels, side)
    works = {"ours": batched(images, size), "torchvision": one_by_one(images, size), **crops_alone(images, size)}
    return in_turn({work: partial(seconds, does) for work, does in works.items()}, rounds)


def rows(name: str, turns: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Views a second of both, their ratio round by round, and what the crop alone takes."""
    case, views = name.replace("_", " "), 2 * CASES[name][0]
    middle = {work: statistics.median(times) for work, times in turns.items()}
    return [
        row(f"{case}: ours", views / middle["ours"], "views/s"),
        row(f"{case}: torchvision on PIL pictures", views / middle["torchvision"], "views/s"),
        row(f"{case}: ours over torchvision", paired(turns["torchvision"], turns["ours"]), "x"),
        row(f"{case}: one crop of every image, by matrices", 1000 * middle["crop_by_matrices"], "ms"),
        row(f"{case}: the same by an affine grid, not antialiased", 1000 * middle["crop_by_grid"], "ms"),
    ]


def main() -> None:
    """Measure every case."""
    parser = arguments_of(__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="turns of every contestant (default: 10)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rounds, names = (2, list(CASES)[:2]) if arguments.quick else (arguments.rounds, list(CASES))
    settings = {"threads": 1, "rounds": rounds, "simd": torch.backends.cpu.get_cpu_capability()}
    what = (
        f"Two views of every image by MoCo v2's recipe, one thread; medians of {rounds} rounds after one that warms up."
    )
    report = Report("views", what, ("torch", "torchvision"), settings, arguments.quick)
    cases = {name: measure(name, rounds) for name in names}
    lines = [line for name, turns in cases.items() for line in rows(name, turns)]
    report.finish(lines, {"seconds": cases}, arguments.json)


if __name__ == "__main__":
    main()
