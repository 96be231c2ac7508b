"""Views a second: the batched maker beside torchvision's v2 transforms on PIL images, one image at a time, in one thread count.

    python benchmarks/views.py [--threads 2] [--repeats 20] --json benchmarks/results/views.json

Every figure is the best of the repeats, which on a
shared machine is the one least disturbed. The recipe is MoCo v2's, two views of 256 images; at 224 pixels, of 16.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
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


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """The shortest of ``repeats`` runs, after two that warm up."""
    best = float("inf")
    for attempt in range(repeats + 2):
        start = time.perf_counter()
        work()
        if attempt >= 2:
            best = min(best, time.perf_counter() - start)
    return best


def images_of(num: int, channels: int, side: int) -> torch.Tensor:
    """Smooth random images, (num, channels, side, side) uint8: neighbours alike, as in photographs."""
    coarse = torch.rand(num, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=side, mode="bicubic").mul(255).clamp(0, 255).to(torch.uint8)


def batched(images: torch.Tensor, size: int, repeats: int) -> float:
    """Seconds for both views of the whole batch by this project's maker."""
    num = len(images)
    maker = ViewMaker(Views(augmentations=(Augmentation(count=2),)), size, [0.5] * 3, [0.25] * 3)
    batch = Batch(images=images, index=torch.arange(num), label=torch.zeros(num, dtype=torch.long))
    generator = torch.Generator().manual_seed(0)
    return best_seconds(lambda: maker(batch, generator), repeats)


def one_by_one(images: torch.Tensor, size: int, repeats: int) -> float:
    """Seconds for the same by torchvision on PIL images. Its blur has SimCLR's kernel, a tenth of the side."""
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
    return best_seconds(lambda: [torch.stack([transform(p) for p in pictures]) for _ in range(2)], repeats)


def crop_only(images: torch.Tensor, size: int, repeats: int) -> dict[str, float]:
    """Milliseconds for one crop and flip of every image: matrices (antialiased) beside one affine grid (not)."""
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

    return {
        "matrices_ms": 1000 * best_seconds(lambda: crop(planes, place, size), repeats),
        "affine_grid_ms": 1000 * best_seconds(by_grid, repeats),
    }


def measure(name: str, repeats: int) -> dict[str, float]:
    """All figures of one case."""
    num, channels, side, size = CASES[name]
    images = images_of(num, channels, side)
    ours, theirs = batched(images, size, repeats), one_by_one(images, size, max(2, repeats // 10))
    return {
        "images": num,
        "two_view_batch_ms": 1000 * ours,
        "views_per_second": 2 * num / ours,
        "torchvision_pil_views_per_second": 2 * num / theirs,
        "ratio": theirs / ours,
        **crop_only(images, size, repeats),
    }


def main() -> None:
    """Measure every case."""
    parser = arguments_of(__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    repeats, names = (2, list(CASES)[:2]) if arguments.quick else (arguments.repeats, list(CASES))
    settings = {"threads": arguments.threads, "repeats": repeats, "simd": torch.backends.cpu.get_cpu_capability()}
    what = f"Two views of every image by MoCo v2's recipe, {arguments.threads} threads; best of {repeats}."
    report = Report("views", what, ("torch", "torchvision"), settings, arguments.quick)
    cases = {name: measure(name, repeats) for name in names}
    rows = []
    for name, found in cases.items():
        case = name.replace("_", " ")
        rows += [
            row(f"{case}: ours", found["views_per_second"], "views/s"),
            row(
                f"{case}: torchvision on PIL pictures, one process",
                found["torchvision_pil_views_per_second"],
                "views/s",
            ),
            row(f"{case}: ours over torchvision", found["ratio"], "x"),
        ]
    report.finish(rows, {"cases": cases}, arguments.json)


if __name__ == "__main__":
    main()
