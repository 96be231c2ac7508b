"""Features of images with several labels: what multi-label classification works on."""

from pathlib import Path

from pipelines.building.devices import chosen_device
from pipelines.building.features import source_of
from pipelines.building.images import in_order, loader, plain_views
from pipelines.building.methods import packed
from pipelines.evaluation.tagged import TaggedFeatures
from pipelines.sources.label_sets import label_sets
from pipelines.spec.folder import JobFolder
from pipelines.spec.jobs import EvaluateSpec


def tagged_features_of(job: JobFolder[EvaluateSpec]) -> TaggedFeatures:
    """Both splits of a job's data set through its encoder."""
    device, shards = chosen_device(), packed(job.inputs["shards"])
    weights: Path | None = job.inputs.get("weights")
    source = source_of(job.spec, shards, weights)
    embed, names = source.embed(device), job.spec.dataset.label_names
    rows = {
        split: embed(plain_views(loader(shards, split, in_order(), device), source.wanted, device)).numpy()
        for split in ("train", "test")
    }
    target = {split: label_sets(shards, split, names) for split in rows}
    for split in rows:
        shards.check_unchanged(split)
    return TaggedFeatures(rows["train"], target["train"], rows["test"], target["test"], names)
