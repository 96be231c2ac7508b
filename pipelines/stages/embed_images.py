"""Stage embed-images: the features of a folder of images, from an export or a finished pretraining, as a Parquet file."""

import sys
from pathlib import Path

from pipelines.building.devices import chosen_device
from pipelines.building.folder_features import embed_folder

MOST_NAMED = 5
"""Unreadable images that are named."""


def run(weights: Path, folder: Path, to: Path) -> int:
    """Embed every image below a folder; those that cannot be read are left out and told."""
    found = embed_folder(weights, folder, to, chosen_device(), lambda text: print(text, flush=True))
    if found.unreadable:
        names = "; ".join(found.unreadable[:MOST_NAMED])
        print(f"left out, as they cannot be read: {len(found.unreadable)} ({names})", file=sys.stderr)
    print(f"{to}: features of {found.images} images")
    return 0
