"""All captions of a split's images: where a source keeps several beside the image's own (COCO), the evaluation reads them."""

from pipelines.errors import InputError
from pipelines.sources.meta import metas
from pipelines.sources.reader import ShardSet


def all_captions(shards: ShardSet, split: str) -> list[list[str]]:
    """The captions of every image in reading order, one at least; InputError where an image has none."""
    if not shards.index.captions:
        raise InputError(
            f"evaluation.retrieval: not every image of {shards.index.dataset} has a caption ({shards.folder}); give the tars "
            "txt members, or leave the evaluation out for this data set"
        )
    found = []
    for caption, meta in metas(shards, split):
        own, listed = caption or "", meta.get("captions")
        texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
        found.append(texts if own in texts else [own, *texts])
    return found
