"""Feature maps of images with masks: what the segmentation probe works on."""

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.building.devices import chosen_device
from pipelines.building.features import EvaluatedEncoder, source_of
from pipelines.building.images import in_order, loader, plain_views
from pipelines.building.methods import packed
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.segmentation import Maps
from pipelines.sources.masks import masks_of
from pipelines.spec.folder import JobFolder
from pipelines.spec.jobs import EvaluateSpec

PIXELS = 16
"""Places a side of the floor's map: the images themselves, averaged down."""


def maps_of(job: JobFolder[EvaluateSpec]) -> Maps:
    """Both splits of a job's data set through its encoder, on the device."""
    device, shards = chosen_device(), packed(job.inputs["shards"])
    weights: Path | None = job.inputs.get("weights")
    source = source_of(job.spec, shards, weights)
    maps, masks = {}, {}
    for split in ("train", "test"):
        views = plain_views(loader(shards, split, in_order(), device), source.wanted, device)
        maps[split] = last_maps(source, views, device)
        masks[split] = torch.from_numpy(masks_of(shards, split, shards.index.image_size)).to(device)
        shards.check_unchanged(split)
    holdout = torch.from_numpy(shards.holdout).to(device)
    return Maps(maps["train"], masks["train"], maps["test"], masks["test"], holdout, job.spec.dataset.label_names)


@torch.no_grad()
def last_maps(source: EvaluatedEncoder, batches: Iterator[Tensor], device: torch.device) -> Tensor:
    """(n, F, h, w) float32 on the device: the encoder's deepest map, in eval mode; without one the images averaged down."""
    if source.encoder is None:
        return torch.cat([F.adaptive_avg_pool2d(images.float(), PIXELS) for images in batches]).to(device)
    encoder = source.encoder.to(device)
    with evaluating(encoder):
        return torch.cat([encoder.feature_maps(images.to(device))[-1].float() for images in batches])
