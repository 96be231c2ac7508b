"""Small sets in the layout of PASCAL VOC's devkit: pictures that show several classes, and pictures with masks."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.spec.datasets.voc import CLASSES

VOID = 255


def tagged_voc(root: Path) -> None:
    """Every class lights a cell of its own in a picture of 4 x 5 cells."""
    folder, draw = root / "VOCdevkit" / "VOC2007", np.random.default_rng(0)
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    number = 0
    for part, count in (("trainval", 80), ("test", 60)):
        said = draw.choice([1, 0, -1], size=(count, 20), p=[0.3, 0.05, 0.65])
        names = [f"{number + i:06d}" for i in range(count)]
        number += count
        for name, row in zip(names, said, strict=True):
            cells = np.where(row.reshape(4, 5) == 1, 200, 40) + draw.integers(-40, 41, (4, 5))
            pixels = np.kron(cells, np.ones((6, 6))).astype(np.uint8)
            Image.fromarray(pixels).convert("RGB").resize((24, 24)).save(folder / "JPEGImages" / f"{name}.jpg")
        for column, kind in enumerate(CLASSES):
            lines = "".join(f"{name} {row[column]:2d}\n" for name, row in zip(names, said, strict=True))
            (folder / "ImageSets" / "Main" / f"{kind}_{part}.txt").write_text(lines)


def masked_voc(root: Path) -> None:
    """Pictures of 24 x 32 pixels: a bright cat on one side and a dark dog on the other, on grey."""
    folder, draw = root / "VOCdevkit" / "VOC2012", np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    for part, count in (("train", 24), ("val", 12)):
        names = [f"2007_{part}{i:03d}" for i in range(count)]
        (folder / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for i, name in enumerate(names):
            mask = np.zeros((24, 32), np.uint8)
            left, right = ((8, 12), (8, 13))[:: 1 if i % 2 else -1]
            mask[4:16, 6:14], mask[8:20, 18:26] = left[i % 2], right[i % 2]
            mask[0], pixels = VOID, np.full((24, 32), 120)
            pixels[mask == 8], pixels[(mask == 12) | (mask == 13)] = 230, 20
            noisy = np.clip(pixels + draw.integers(-15, 16, pixels.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).convert("RGB").save(folder / "JPEGImages" / f"{name}.jpg")
            palette = Image.fromarray(mask).convert("P")
            palette.putdata(mask.ravel().tolist())
            palette.putpalette(
                [value for number in range(256) for value in (number * 7 % 256, number * 3 % 256, number)]
            )
            palette.save(folder / "SegmentationClass" / f"{name}.png")
