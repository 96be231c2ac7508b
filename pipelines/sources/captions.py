"""All captions of a split's images: where a source keeps several beside the image's own (COCO), the evaluation reads them."""

import json

from pipelines.errors import InputError
from pipelines.sources.reader import ShardSet
from pipelines.sources.tars import scan


def all_captions(shards: ShardSet, split: str) -> list[list[str]]:
    """The captions of every image in reading order, one at least; InputError where an image has none."""
    if not shards.index.captions:
        raise InputError(
            f"evaluation.retrieval: not every image of {shards.index.dataset} has a caption ({shards.folder}); give the tars "
            "txt members, or leave the evaluation out for this data set"
        )
    found = []
    for shard in shards.index.splits[split]:
        data = shards.verified_bytes(shard)
        for place in scan(data):
            offset, size = place.meta
            meta = json.loads(data[offset : offset + size]) if size else {}
            own = place.caption or ""
            listed = meta.get("captions") if isinstance(meta, dict) else None
            texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
            found.append(texts if own in texts else [own, *texts])
    return found
