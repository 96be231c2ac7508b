"""COCO captions: photographs that people described (Chen et al. 2015, arXiv:1504.00325)."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.files import file_name
from pipelines.spec.datasets.coco_captions import Options as CocoCaptions


def read(options: CocoCaptions) -> Source:
    """train2017 and val2017, which is test. InputError where annotations are missing or not what they should be."""
    options.check_files()
    train, test = (_split(options.root, part, options.caption) for part in ("train2017", "val2017"))
    return Source((), train, test)


def _split(root: Path, part: str, chosen: int) -> Split:
    notes = root / "annotations" / f"captions_{part}.json"
    try:
        given: dict[str, Any] = json.loads(notes.read_text())
        names = {int(image["id"]): file_name(image["file_name"]) for image in given["images"]}
        captions: dict[int, list[str]] = defaultdict(list)
        for note in sorted(given["annotations"], key=lambda each: each["id"]):
            captions[int(note["image_id"])].append(" ".join(str(note["caption"]).split()))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{notes}: not COCO's captions ({error!r}); fetch the annotations anew") from None
    described = sorted(image for image in names if captions[image])
    if not described:
        raise InputError(f"{notes}: no image has a caption; fetch the annotations anew")

    def sample(position: int) -> Sample:
        image = described[position]
        path, texts = root / part / names[image], captions[image]
        text = texts[min(chosen, len(texts) - 1)]
        return Sample(f"{part}/{path.name}", path.read_bytes(), "jpg", -1, text, meta={"captions": texts})

    ids = [f"{part}/{names[image]}" for image in described]
    return Split(ids, np.full(len(ids), -1, np.int64), sample)
