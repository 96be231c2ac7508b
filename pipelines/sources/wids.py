"""wids-SPLIT.json: the same shards for ``wids.ShardListDataset``, webdataset's reader with random access.

Nothing here reads these files; they are for other programs. Addresses are relative to the file.
"""

from pathlib import Path

from pipelines.files import write_json
from pipelines.sources.index import Index

KIND, VERSION = "wids-shard-index-v1", 1


def save_wids(folder: Path, index: Index) -> None:
    """Write one file a split: each shard's address, number of samples and size in bytes."""
    for split, shards in index.splits.items():
        listed = [{"url": shard.name, "nsamples": shard.count, "filesize": shard.bytes} for shard in shards]
        about = {"__kind__": KIND, "wids_version": VERSION, "name": f"{index.dataset}-{split}", "shardlist": listed}
        write_json(folder / f"wids-{split}.json", about)
