"""Whether a data set's files are still those that its shards were packed from: by names, sizes and times."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.acceptance import accepts_files
from pipelines.advice import typed
from pipelines.errors import InputError
from pipelines.files import digest
from pipelines.listing.inventory import Inventory, differences
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.layout import listing_file


@dataclass(frozen=True)
class Restocked:
    """A packed data set whose files are others now: what differs, in words, and their digest."""

    told: str
    digest: str


def restocked(job: Job, results: Path) -> Restocked | None:
    """What differs; None for other jobs, for files that are here no more, and where somebody accepted it.

    Shards that an earlier program packed have no listing: nothing is known of their files.
    """
    file = listing_file(results, job.key)
    if not isinstance(job.spec, ShardsSpec) or not job.done(results) or not file.exists():
        return None
    packed = Inventory.read(file)
    try:
        now = job.spec.dataset.inventory(packed)
        if now.digest == packed.digest:
            return None
        found = Restocked("; ".join(differences(packed, now)), now.digest)
    except InputError as error:
        found = Restocked(str(error), digest(str(error), 16))
    return None if accepts_files(job.folder(results), found.digest) else found


def check_stock(jobs: Iterable[Job], results: Path) -> None:
    """InputError where the files of a packed data set have changed and nobody said what is to be done of it."""
    for job in jobs:
        if isinstance(job.spec, ShardsSpec) and (found := restocked(job, results)):
            raise InputError(
                f"data set {job.spec.dataset.short_name}: its files changed after it was packed ({found.told}); "
                "make it and all that was made from it anew with --config rerun_changed=true; keep what there is with "
                f"{typed('accept', 'STUDY', '--reason', 'WHY', '--results', results)}; or give the new "
                "images a dataset.name of their own, which keeps both"
            )
