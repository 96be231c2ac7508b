"""A folder of shards: every tar against the index, and the caches and notes beside them against their own checksums."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.checking.fault import Fault, Tick, fault
from pipelines.errors import DamagedFile, InputError
from pipelines.files import read_sealed
from pipelines.sources.caches import is_changed
from pipelines.sources.index import FILE, Shard, load_index
from pipelines.sources.reader import ShardSet
from pipelines.spec.layout import NOTES

AGAIN = "delete it: it is made anew when it is needed"


def faults_of_shards(folder: Path, tick: Tick) -> Iterator[Fault]:
    """All that is wrong with index, tars, caches and notes; every byte is read, whatever was remembered."""
    try:
        shards = ShardSet(folder, load_index(folder))
    except InputError as error:
        yield fault("job", folder / FILE, error)
        return

    def check(shard: Shard) -> Fault | None:
        try:
            shards.check(shard)
        except InputError as error:
            return fault("job", folder / shard.name, error)
        tick(shard.bytes)
        return None

    with ThreadPoolExecutor(4) as pool:  # hashing lets other threads run
        listed = [shard for each in shards.index.splits.values() for shard in each]
        yield from (found for found in pool.map(check, listed) if found)
    for cache in sorted((*folder.glob("cache-*.np[yz]"), *(folder / NOTES).glob("*.npz"))):
        if is_changed(cache):
            yield fault("cache", cache, DamagedFile(f"{cache}: its SHA-256 is not the one beside it; {AGAIN}"))
        tick(cache.stat().st_size)
    for note in sorted((folder / NOTES).glob("*.json")):
        try:
            read_sealed(note, AGAIN)
        except InputError as error:
            yield fault("cache", note, error)
