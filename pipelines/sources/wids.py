"""wids-SPLIT.json: the same shards for ``wids.ShardListDataset``, webdataset's reader with random access.

Nothing here reads these files; they are for other programs. Addresses are relative to the file.
"""

from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.sources.index import Index

KIND, VERSION = "wids-shard-index-v1", 1


def save_wids(folder: Path, index: Index) -> None:
    """Write one file a split, unless it is there: each shard's address, number of samples and size in bytes."""
    for split, shards in index.splits.items():
        listed = [{"url": shard.name, "nsamples": shard.count, "filesize": shard.bytes} for shard in shards]
        about = {"__kind__": KIND, "wids_version": VERSION, "name": f"{index.dataset}-{split}", "shardlist": listed}
        if not _holds(file := wids_file(folder, split), about):
            write_json(file, about)


def wids_file(folder: Path, split: str) -> Path:
    """Where the index of a split is."""
    return folder / f"wids-{split}.json"


def _holds(file: Path, about: dict[str, Any]) -> bool:
    try:
        return bool(read_json(file) == about)
    except InputError:
        return False
