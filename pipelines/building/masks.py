"""Feature maps of images with masks: what the segmentation probe works on."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.building.devices import chosen_device
from pipelines.building.features import EvaluatedEncoder
from pipelines.building.images import in_order, loader, plain_views
from pipelines.building.subject import Subject
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.segmentation import Maps
from pipelines.sources.masks import masks_of

PIXELS = 16
"""Places a side of the floor's map: the images themselves, averaged down."""


def maps_of(subject: Subject) -> Maps:
    """Both splits of a data set through the encoder, on the device."""
    device, shards, source = chosen_device(), subject.shards, subject.source()
    maps, masks = {}, {}
    for split in ("train", "test"):
        views = plain_views(loader(shards, split, in_order(), device), source.wanted, device)
        maps[split] = last_maps(source, views, device)
        masks[split] = torch.from_numpy(masks_of(shards, split, shards.index.image_size)).to(device)
        shards.check_unchanged(split)
    holdout = torch.from_numpy(shards.holdout).to(device)
    return Maps(maps["train"], masks["train"], maps["test"], masks["test"], holdout, subject.spec.dataset.label_names)


@torch.no_grad()
def last_maps(source: EvaluatedEncoder, batches: Iterator[Tensor], device: torch.device) -> Tensor:
    """(n, F, h, w) float32 on the device: the encoder's deepest map, in eval mode; without one the images averaged down."""
    if source.encoder is None:
        return torch.cat([F.adaptive_avg_pool2d(images.float(), PIXELS) for images in batches]).to(device)
    encoder = source.encoder.to(device)
    with evaluating(encoder):
        return torch.cat([encoder.feature_maps(images.to(device))[-1].float() for images in batches])
