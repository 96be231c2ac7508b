"""Stage embed: features of train and test from frozen weights, an untrained encoder, or raw pixels, written once."""

from typing import TYPE_CHECKING

from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pipelines.sources.reader import ShardSet
    from pipelines.spec.views import Views


def main(argv: list[str]) -> int:
    """Write JOB/features.safetensors, then the record."""
    _run(open_job(parser("embed", __doc__ or "").parse_args(argv).job, "embed"))
    return 0


def _run(job: JobFolder) -> None:
    import time

    import torch

    from pipelines.evaluation.features import Features, pooled_features
    from pipelines.records import now, write_record
    from pipelines.sources.reader import open_shards
    from pipelines.stages.parts import chosen_device, device_name, in_order, loader, plain_views

    started, clock = now(), time.perf_counter()
    shards, device = open_shards(job.inputs["shards"]), chosen_device()
    encoder, recipe = _encoder(job, shards)
    rows = {}
    for split in ("train", "test"):
        data = loader(shards, split, in_order(), device)
        rows[split] = pooled_features(encoder, plain_views(data, recipe, shards, device), device)
    labels = {split: torch.as_tensor(shards.table(split).label) for split in rows}
    features = Features(
        train=rows["train"],
        train_label=labels["train"],
        holdout=torch.as_tensor(shards.holdout),
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
        flags=[] if bool(torch.isfinite(features.train).all()) else ["not_finite:features"],
        artifacts={"features": "features.safetensors"},
        started=started,
    )


def _encoder(job: JobFolder, shards: "ShardSet") -> "tuple[nn.Module, Views]":
    """What makes the features, and the recipe whose size and colours its images take."""
    from torch import nn

    from pipelines.spec.views import Views
    from pipelines.stages.parts import trained_encoder, untrained_encoder

    match job.spec["source"]:
        case "pixels":
            return nn.Flatten(), Views()
        case "untrained":
            return untrained_encoder(job.spec, shards.index.image_size), Views()
        case _:
            return trained_encoder(job.inputs["weights"])
