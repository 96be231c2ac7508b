"""Stage shards: raw images to WebDataset tars with an index."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.spec.datasets import DataSet


def main(argv: list[str]) -> int:
    """``python -m pipelines shards --spec FILE.json --out DIR``: pack the data set, then write the record."""
    parser = argparse.ArgumentParser("python -m pipelines shards", description="Pack a data set into WebDataset tars.")
    parser.add_argument(
        "--spec", type=Path, required=True, help='JSON file: {"key": ..., "dataset": {"use": "digits", ...}}'
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the tars, index.json and record.json")
    parser.add_argument("--workers", type=int, default=1, help="processes that pack shards (default: 1)")
    arguments = parser.parse_args(argv)
    _run(arguments.spec, arguments.out, max(1, arguments.workers))
    return 0


def _run(spec_file: Path, out: Path, workers: int) -> None:
    import time

    from pipelines.records import now, write_record
    from pipelines.sources.base import open_source
    from pipelines.sources.index import FILE
    from pipelines.sources.shards import build_shards, complete

    started, clock = now(), time.perf_counter()
    key, dataset = read_spec(spec_file)
    done = complete(out, dataset)
    index = done or build_shards(open_source(dataset), dataset, out, workers)
    seconds = time.perf_counter() - clock
    counts = {name: index.count(name) for name in index.splits}
    write_record(
        out,
        key=key,
        stage="shards",
        spec={"dataset": dataset.model_dump(mode="json")},
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


def read_spec(path: Path) -> tuple[str, "DataSet"]:
    """The job's key (made from the options where there is none) and its data set. InputError names what is wrong."""
    from pydantic import TypeAdapter, ValidationError

    from pipelines.errors import InputError
    from pipelines.files import canonical, digest, read_json
    from pipelines.spec.datasets import AnyDataSet, dataset_name

    value = read_json(path)
    if not isinstance(value, dict) or "dataset" not in value or set(value) - {"key", "dataset"}:
        raise InputError(f'{path}: must be {{"dataset": {{...}}}}, with "key" beside it if wanted')
    try:
        dataset = TypeAdapter(AnyDataSet).validate_json(canonical(value["dataset"]))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["dataset", *(str(part) for part in first["loc"][1:])])
        raise InputError(f"{path}: {where}: {first['msg']}, got {first['input']!r}") from None
    return str(value.get("key") or f"{dataset_name(dataset)}-{digest(dataset.model_dump(mode='json'))}"), dataset
