"""Which boxes count as right, image by image and overlap by overlap: what average precision is counted from.

Boxes and things are paired by pycocotools, as for the numbers themselves, so that ``statistics.found_boxes`` can count again
without an image what torchmetrics counts of all.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from torchvision.ops import box_convert

from pipelines.evaluation.average_precision import asked
from pipelines.evaluation.detections import Detections
from pipelines.scene import Scene

COUNTED = [0.0, 1e10]
"""Square pixels of things that COCO counts: all but those that ``asked`` makes larger to have them ignored."""
MOST = 100
"""Boxes of an image and class that count, the surest."""


def matches(scenes: Sequence[Scene], found: Sequence[Detections], num_classes: int) -> dict[str, NDArray[Any]]:
    """Of M images, boxes in the order of images, then classes, the surest first.

    image    (D,) uint32: whose box
    label    (D,) uint16: the class it was given, from 0
    score    (D,) float32
    verdict  (D, 10) int8, at overlaps 0.5, 0.55, ..., 0.95: 1 finds a thing, 0 is a mistake, -1 counts as neither
    things   (M, C) uint16: how many things of each class are to be found
    """
    with contextlib.redirect_stdout(io.StringIO()):
        judged = _judged(scenes, found, num_classes)
    things = np.zeros((len(scenes), num_classes), np.uint16)
    parts: list[tuple[int, int, NDArray[Any], NDArray[Any]]] = []
    for each in judged:
        image, label = each["image_id"], each["category_id"] - 1
        things[image, label] = (np.asarray(each["gtIgnore"]) == 0).sum()
        right, ignored = np.asarray(each["dtMatches"]) > 0, np.asarray(each["dtIgnore"]) > 0  # (10, boxes)
        parts.append((image, label, np.asarray(each["dtScores"]), np.where(ignored, -1, right).T))
    parts.sort(key=lambda part: part[:2])
    counts = [len(part[2]) for part in parts]
    return {
        "image": np.repeat(np.array([part[0] for part in parts], np.uint32), counts),
        "label": np.repeat(np.array([part[1] for part in parts], np.uint16), counts),
        "score": np.concatenate([np.empty(0), *(part[2] for part in parts)]).astype(np.float32),
        "verdict": np.concatenate([np.empty((0, 10)), *(part[3].reshape(-1, 10) for part in parts)]).astype(np.int8),
        "things": things,
    }


def _judged(scenes: Sequence[Scene], found: Sequence[Detections], num_classes: int) -> list[dict[str, Any]]:
    """What COCO's evaluation says of every image and class that has a box or a thing."""
    given = [asked(scene, each) for scene, each in zip(scenes, found, strict=True)]
    things = [row for i, each in enumerate(given) for row in _rows(i, each["boxes"], each["labels"], area=each["area"])]
    boxes = [row for i, each in enumerate(found) for row in _rows(i, each.boxes, each.label, score=each.score)]
    judge = COCOeval(_indexed(things, len(scenes), num_classes), _indexed(boxes, len(scenes), num_classes), "bbox")
    judge.params.areaRng, judge.params.areaRngLbl, judge.params.maxDets = [COUNTED], ["all"], [MOST]
    judge.evaluate()
    return [each for each in judge.evalImgs if each is not None]


def _rows(image: int, boxes: Tensor, label: Tensor, **more: Tensor) -> Iterator[dict[str, Any]]:
    corners = box_convert(boxes, "xyxy", "xywh").tolist()
    for number, (box, name) in enumerate(zip(corners, label.tolist(), strict=True)):
        own = {what: values[number].item() for what, values in more.items()}
        yield {"image_id": image, "category_id": name, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, **own}


def _indexed(rows: list[dict[str, Any]], images: int, num_classes: int) -> COCO:
    """Rows numbered from 1: 0 is COCO's word for no match."""
    made = COCO()
    made.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(1, num_classes + 1)],
        "annotations": [{"id": number, **row} for number, row in enumerate(rows, start=1)],
    }
    made.createIndex()
    return made
