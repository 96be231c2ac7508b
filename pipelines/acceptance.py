"""Acceptance: a person's word that a result made by other code, or shards of other files, still stand, beside the record.

The record is not touched. An acceptance holds for one record and one state of code and files: a job that ran anew, or
code or files that changed again, need another.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.code import Code, changed
from pipelines.errors import DamagedFile, InputError
from pipelines.files import read_json, sha256_file, write_json
from pipelines.records import FILE as RECORD
from pipelines.records import Record, Time, now, read_record

FILE = "accepted.json"
Standing = Literal["same", "accepted", "changed", "unknown"]
"""How a record's code stands to the code of now; unknown: the record is older than the digests."""


class Acceptance(BaseModel):
    """What was accepted, when and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    record: str
    """SHA-256 of the record.json that stays."""
    code_digest: str
    """Of the code that would make it now."""
    reason: str = Field(min_length=1)
    time: Time
    listing: str = ""
    """Of the files that a data set would be packed from now; empty: none, or those that it was packed from."""
    changed: tuple[str, ...] = Field(strict=False)
    """The source files that differ from the record's; for a record of unknown code, all of them."""


def accept(folder: Path, code: Code, reason: str, listing: str = "") -> Acceptance:
    """Let the result in ``folder`` stand beside ``code``, what its job would run now.

    ``listing``: digest of the files that a data set would be packed from now, where they are others than it was.

    InputError without a reason, without a record, or where there is nothing to accept.
    """
    record = read_record(folder)
    if not reason.strip():
        raise InputError(f"{folder}: an acceptance needs a reason; say why the change does not touch the result")
    if record.code_digest == code.digest and not listing:
        raise InputError(f"{folder}: was made by this very code; there is nothing to accept")
    found = Acceptance(
        record=sha256_file(folder / RECORD),
        code_digest=code.digest,
        reason=reason.strip(),
        time=now(),
        listing=listing,
        changed=tuple(changed(record.code, code.files)),
    )
    write_json(folder / FILE, [each.model_dump(mode="json") for each in (*acceptances(folder), found)])
    return found


def acceptances(folder: Path) -> tuple[Acceptance, ...]:
    """All that was accepted in this folder, oldest first; DamagedFile."""
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[Acceptance, ...]).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise DamagedFile(f"{path}: {where}: {problem['msg']}; delete the file and accept again") from None


def accepts_files(folder: Path, listing: str) -> bool:
    """Whether somebody let the shards in ``folder`` stand beside the files of this digest."""
    fitting = {each.record for each in acceptances(folder) if each.listing == listing}
    return bool(fitting) and sha256_file(folder / RECORD) in fitting


def standing(record: Record, folder: Path, code_now: Code) -> Standing:
    """How the record in ``folder`` stands to the code that its job would run now."""
    if record.code_digest == code_now.digest:
        return "same"
    fitting = [each for each in acceptances(folder) if each.code_digest == code_now.digest]
    if fitting and sha256_file(folder / RECORD) in {each.record for each in fitting}:
        return "accepted"
    return "changed" if record.code_digest else "unknown"
