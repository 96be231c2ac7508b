"""Stage shards: raw images to WebDataset tars with an index; goes on where it was stopped."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.listing.kinds import in_words
from pipelines.records import FILE as RECORD
from pipelines.records import now, write_record
from pipelines.sources.base import SPLITS, open_source
from pipelines.sources.index import FILE, Index
from pipelines.sources.shards import build_shards, complete
from pipelines.sources.sheet import write_sheet
from pipelines.sources.told import flags, told
from pipelines.sources.wids import wids_file
from pipelines.spec.contents import Contents, packed_contents
from pipelines.spec.enough import check_packed
from pipelines.spec.folder import open_job
from pipelines.spec.images_told import images_told
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import LISTING
from pipelines.spec.made_by import code_of
from pipelines.telling import say, written


def run(job: Path, workers: int = 1) -> None:
    """Pack the data set into the job's folder, then write the record; InputError where a study asks for more than there is."""
    folder, started, clock = open_job(job, ShardsSpec), now(), time.perf_counter()
    code = code_of(folder.spec)
    dataset = folder.spec.dataset
    say(job, f"packing of {dataset.short_name} starts, processes: {max(1, workers)}")
    done = complete(folder.path, dataset)
    index = done or build_shards(open_source(dataset), dataset, folder.path, max(1, workers))
    seconds = time.perf_counter() - clock
    contents = packed_contents(folder.path / FILE)
    _tell(index, contents)
    record = write_record(
        folder.path,
        key=folder.key,
        stage="shards",
        spec=folder.spec.model_dump(mode="json"),
        inputs={},
        metrics=_counted(index),
        derived=_found(index),
        seconds=seconds,
        images_per_second=None if done else sum(map(index.count, index.splits)) / seconds,
        code=code,
        flags=flags(index),
        artifacts=_files(folder.path, index),
        started=started,
    )
    counts = ", ".join(f"{index.count(split):,} images of {split}" for split in index.splits)
    say(job, f"{'whole already' if done else 'packed'}: {counts}")
    say(job, written(record.seconds, record.artifacts.values(), RECORD))
    if contents:  # last: the shards are whole, whatever a study asks of them
        check_packed(folder.key, contents, folder.results)


def _tell(index: Index, contents: Contents | None) -> None:
    """Print what was packed, and warn of test images that train has too."""
    if contents:
        seen = [f"{what}: {words}" for what, words in images_told(asdict(index)).items() if words]
        print("\n".join([*seen, *contents.lines]), flush=True)
    if leaked := index.equal.get("test_in_train"):
        one, other = index.equal["examples"][0]
        print(
            f"warning: {leaked} of {index.count('test')} test images are in train too ({one} is {other}); every number on test "
            "will be too high: take them out of one of the two",
            file=sys.stderr,
        )


def _counted(index: Index) -> dict[str, float]:
    """The numbers of images and bytes."""
    return {
        "data/train": index.count("train"),
        "data/test": index.count("test"),
        "data/holdout": len(index.holdout),
        "data/unreadable": len(index.unreadable),
        "data/skipped": sum(found["count"] for found in index.skipped.values()),
        "data/bytes": sum(shard.bytes for shards in index.splits.values() for shard in shards),
    }


def _found(index: Index) -> dict[str, Any]:
    """What the images are like."""
    return {
        "image_size": index.image_size,
        "channels": index.channels,
        "classes": len(index.classes),
        **told(index),
        "skipped": in_words(index.skipped) or None,
    }


def _files(out: Path, index: Index) -> dict[str, str | Path]:
    """What is left beside the shards; artifact names and files."""
    return {
        "index": FILE,
        **({"listing": LISTING} if (out / LISTING).exists() else {}),
        **{f"wids_{split}": wids_file(out, split) for split in SPLITS},
        **{f"samples_{split}": write_sheet(out, index, split) for split in SPLITS},
    }
