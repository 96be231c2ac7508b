"""Stage embed: features of train and test from frozen weights, an untrained encoder, or raw pixels, written once."""

from typing import TYPE_CHECKING

from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import Tensor

    from pipelines.sources.reader import ShardSet
    from pipelines.spec.views import Views


def main(argv: list[str]) -> int:
    """Write JOB/features.safetensors, then the record."""
    _run(open_job(parser("embed", __doc__ or "").parse_args(argv).job, "embed"))
    return 0


def _run(job: JobFolder) -> None:
    import time

    import torch

    from pipelines.evaluation.features import Features
    from pipelines.records import now, write_record
    from pipelines.sources.reader import open_shards
    from pipelines.stages.parts import chosen_device, device_name, in_order, loader, plain_views

    started, clock = now(), time.perf_counter()
    shards, device = open_shards(job.inputs["shards"]), chosen_device()
    make, recipe = _features_of(job, shards, device)
    rows, labels = {}, {}
    for split in ("train", "test"):
        found = make(plain_views(loader(shards, split, in_order(), device), recipe, shards, device))
        label = torch.as_tensor(shards.table(split).label)
        rows[split], labels[split] = found[label >= 0], label[label >= 0]
    features = Features(
        train=rows["train"],
        train_label=labels["train"],
        holdout=_among_labelled(shards),
        test=rows["test"],
        test_label=labels["test"],
        num_classes=len(shards.class_names),
    )
    features.save(job.path / "features.safetensors")
    seconds = time.perf_counter() - clock
    images = len(features.train) + len(features.test)
    write_record(
        job.path,
        key=job.key,
        stage="embed",
        spec=job.spec,
        inputs=job.input_keys,
        metrics={"features/width": features.train.shape[1], "features/images": images},
        seconds=seconds,
        images_per_second=images / seconds,
        device=device_name(device),
        artifacts={"features": "features.safetensors"},
        started=started,
    )


def _features_of(
    job: JobFolder, shards: "ShardSet", device: "torch.device"
) -> "tuple[Callable[[Iterator[Tensor]], Tensor], Views]":
    """What turns image batches into features, and the recipe whose size and colours the images take."""
    from pipelines.evaluation.features import pixel_features, pooled_features
    from pipelines.spec.views import Views
    from pipelines.stages.parts import trained_encoder, untrained_encoder

    if job.spec["source"] == "pixels":
        return pixel_features, Views()
    if job.spec["source"] == "untrained":
        encoder, recipe = untrained_encoder(job.spec, shards.index.image_size), Views()
    else:
        encoder, recipe = trained_encoder(job.inputs["weights"])
    encoder.to(device)
    return lambda batches: pooled_features(encoder, batches, device), recipe


def _among_labelled(shards: "ShardSet") -> "Tensor":
    """The held-out positions, counted among the labelled images of train alone."""
    import torch

    labelled = torch.as_tensor(shards.table("train").label >= 0)
    place = labelled.cumsum(0) - 1
    holdout = torch.as_tensor(shards.holdout)
    return place[holdout[labelled[holdout]]]
