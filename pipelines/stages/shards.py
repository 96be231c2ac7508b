"""Stage shards: raw images to WebDataset tars with an index; goes on where it was stopped."""

import sys
import time
from dataclasses import asdict
from pathlib import Path

from pipelines.listing.kinds import in_words
from pipelines.records import now, write_record
from pipelines.sources.base import SPLITS, open_source
from pipelines.sources.index import FILE
from pipelines.sources.shards import build_shards, complete
from pipelines.sources.sheet import write_sheet
from pipelines.sources.told import flags, told
from pipelines.sources.wids import wids_file
from pipelines.spec.contents import packed_contents
from pipelines.spec.enough import check_packed
from pipelines.spec.folder import open_job
from pipelines.spec.images_told import images_told
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import LISTING
from pipelines.spec.made_by import code_of


def run(job: Path, workers: int = 1) -> None:
    """Pack the data set into the job's folder, then write the record; InputError where a study asks for more than there is."""
    folder, started, clock = open_job(job, ShardsSpec), now(), time.perf_counter()
    code = code_of(folder.spec)
    dataset = folder.spec.dataset
    done = complete(folder.path, dataset)
    index = done or build_shards(open_source(dataset), dataset, folder.path, max(1, workers))
    seconds = time.perf_counter() - clock
    counts = {name: index.count(name) for name in index.splits}
    if contents := packed_contents(folder.path / FILE):
        seen = [f"{what}: {words}" for what, words in images_told(asdict(index)).items() if words]
        print("\n".join([*seen, *contents.lines]), flush=True)
    if leaked := index.equal.get("test_in_train"):
        one, other = index.equal["examples"][0]
        print(
            f"warning: {leaked} of {counts['test']} test images are in train too ({one} is {other}); every number on test will "
            "be too high: take them out of one of the two",
            file=sys.stderr,
        )
    write_record(
        folder.path,
        key=folder.key,
        stage="shards",
        spec=folder.spec.model_dump(mode="json"),
        inputs={},
        metrics={
            "data/train": counts["train"],
            "data/test": counts["test"],
            "data/holdout": len(index.holdout),
            "data/unreadable": len(index.unreadable),
            "data/skipped": sum(found["count"] for found in index.skipped.values()),
            "data/bytes": sum(shard.bytes for shards in index.splits.values() for shard in shards),
        },
        derived={
            "image_size": index.image_size,
            "channels": index.channels,
            "classes": len(index.classes),
            **told(index),
            "skipped": in_words(index.skipped) or None,
        },
        seconds=seconds,
        images_per_second=None if done else sum(counts.values()) / seconds,
        code=code,
        flags=flags(index),
        artifacts={
            "index": FILE,
            **({"listing": LISTING} if (folder.path / LISTING).exists() else {}),
            **{f"wids_{split}": wids_file(folder.path, split) for split in SPLITS},
            **{f"samples_{split}": write_sheet(folder.path, index, split) for split in SPLITS},
        },
        started=started,
    )
    if contents:  # last: the shards are whole, whatever a study asks of them
        check_packed(folder.key, contents, folder.results)
