"""Features of images with several labels: what multi-label classification works on."""

from pipelines.building.devices import chosen_device
from pipelines.building.images import in_order, loader, plain_views
from pipelines.building.subject import Subject
from pipelines.evaluation.tagged import TaggedFeatures
from pipelines.sources.label_sets import label_sets


def tagged_features_of(subject: Subject) -> TaggedFeatures:
    """Both splits of a data set through the encoder."""
    device, shards, source = chosen_device(), subject.shards, subject.source()
    embed, names = source.embed(device), subject.spec.dataset.label_names
    rows = {
        split: embed(plain_views(loader(shards, split, in_order(), device), source.wanted, device)).numpy()
        for split in ("train", "test")
    }
    target = {split: label_sets(shards, split, names) for split in rows}
    for split in rows:
        shards.check_unchanged(split)
    return TaggedFeatures(rows["train"], target["train"], rows["test"], target["test"], names)
