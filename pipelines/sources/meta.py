"""What a source keeps of an image beside its label and caption: the JSON member of its sample in the shards."""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.sources.reader import ShardSet
from pipelines.sources.tars import scan


def metas(shards: ShardSet, split: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Caption and JSON of every image in reading order; no JSON, or none that is an object, is an empty one."""
    table = shards.table(split)
    for number, shard in enumerate(shards.index.splits[split]):
        data, wanted = shards.verified_bytes(shard), set(table.key[table.shard == number].tolist())
        for place in scan(data):
            if place.key.encode() not in wanted:
                continue
            offset, size = place.meta
            meta = json.loads(data[offset : offset + size]) if size else {}
            yield place.caption, meta if isinstance(meta, dict) else {}
