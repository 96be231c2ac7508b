"""Stage shards: raw images to WebDataset tars with an index; goes on where it was stopped."""

from pipelines.stages.job import JobFolder, open_job, parser


def main(argv: list[str]) -> int:
    """Pack the data set into the job's folder, then write the record."""
    arguments = parser("shards", __doc__ or "")
    arguments.add_argument("--workers", type=int, default=1, help="processes that pack shards (default: 1)")
    options = arguments.parse_args(argv)
    _run(open_job(options.job, "shards"), max(1, options.workers))
    return 0


def _run(job: JobFolder, workers: int) -> None:
    import time

    from pipelines.records import now, write_record
    from pipelines.sources.base import open_source
    from pipelines.sources.index import FILE
    from pipelines.sources.shards import build_shards, complete
    from pipelines.spec.datasets import AnyDataSet
    from pipelines.spec.parse import parse

    started, clock = now(), time.perf_counter()
    dataset = parse(AnyDataSet, job.spec["dataset"], f"{job.path / 'spec.json'}: dataset")
    done = complete(job.path, dataset)
    index = done or build_shards(open_source(dataset), dataset, job.path, workers)
    seconds = time.perf_counter() - clock
    counts = {name: index.count(name) for name in index.splits}
    write_record(
        job.path,
        key=job.key,
        stage="shards",
        spec=job.spec,
        inputs={},
        metrics={
            "data/train": counts["train"],
            "data/test": counts["test"],
            "data/holdout": len(index.holdout),
            "data/unreadable": len(index.unreadable),
            "data/bytes": sum(shard.bytes for shards in index.splits.values() for shard in shards),
        },
        derived={"image_size": index.image_size, "channels": index.channels, "classes": len(index.classes)},
        seconds=seconds,
        images_per_second=None if done else sum(counts.values()) / seconds,
        flags=["unreadable_images"] if index.unreadable else [],
        artifacts={"index": FILE},
        started=started,
    )
