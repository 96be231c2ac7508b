"""Average precision of boxes as COCO counts it, by torchmetrics on pycocotools, with VOC's rule for what is hard to see.

AP is the mean over classes and over ten overlaps, 0.5 to 0.95, AP50 and AP75 at one; precision is read at 101 recalls. What
MoCo reports for VOC 2007 is read at 11 recalls (detectron2's evaluator, the devkit's rule of 2007), so that the last tenths of
a point do not compare.

The devkit's rule for things marked difficult: they need not be found, and finding them, however often, is no mistake. COCO
has ignored things, but lets each excuse one detection only; so such a thing is given once for every detection of its class.
COCO's crowds would excuse any number, but also any small box inside.
"""

from collections.abc import Sequence

import torch
from pycocotools.cocoeval import Params
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from pipelines.evaluation.detections import Detections
from pipelines.scene import Scene

OUTSIDE = 1e11
"""Square pixels, more than the largest thing that COCO counts (1e10): a thing of this area is ignored."""
LIMITS = Params(iouType="bbox")
"""COCO's own overlaps and recalls: torchmetrics' are rounded to float32, by which a recall of 0.3 is not read at 0.3."""


class AveragePrecision:
    """Collects images, and counts when it is asked."""

    def __init__(self) -> None:
        self._metric = MeanAveragePrecision(
            iou_thresholds=LIMITS.iouThrs.tolist(),
            rec_thresholds=LIMITS.recThrs.tolist(),
            class_metrics=True,
            backend="pycocotools",
        )

    def add(self, scene: Scene, found: Detections) -> None:
        """One image with what was found in it."""
        said = {"boxes": found.boxes, "labels": found.label, "scores": found.score}
        self._metric.update([said], [asked(scene, found)])

    def values(self, names: Sequence[str]) -> dict[str, float]:
        """ap, ap50, ap75 and ap/NAME of every class that is there to be found: fractions. No class: 0 each."""
        counted = self._metric.compute()
        found = {ours: max(0.0, float(counted[theirs])) for ours, theirs in TOTALS.items()}
        classes, each = counted["classes"].reshape(-1).tolist(), counted["map_per_class"].reshape(-1).tolist()
        return found | {f"ap/{names[number - 1]}": ap for number, ap in zip(classes, each) if ap >= 0}


TOTALS = {"ap": "map", "ap50": "map_50", "ap75": "map_75"}
"""Our name of a number -> torchmetrics'."""


def asked(scene: Scene, found: Detections) -> dict[str, Tensor]:
    """The things to be found, in torchmetrics' form."""
    plain = ~scene.difficult
    times = torch.stack([(found.label == label).sum() for label in scene.label]) if len(scene.label) else scene.label
    rows = torch.arange(len(scene.label), device=scene.label.device).repeat_interleave(
        torch.where(plain, torch.ones_like(times), times)
    )
    boxes = scene.boxes[rows]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    area = torch.where(plain[rows], area, torch.full_like(area, OUTSIDE))
    return {"boxes": boxes, "labels": scene.label[rows], "area": area}
