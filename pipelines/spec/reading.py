"""How training reads a data set that does not fit in memory: sample by sample, or tar by tar through webdataset.

Random reading is for local disks. Shared disks (Lustre, NFS) and object stores are slow at many small reads and fast at
long ones: there ``order: sequential`` is right. It is never chosen by itself, since it changes the order of the images.
"""

import os
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Model, Positive

SCHEMES = ("http", "https", "s3", "gs", "ais", "sftp", "ftps", "pipe")
"""Kinds of addresses that tars are read from, beside folders."""
ALLOW_PIPE = "PIPELINES_ALLOW_PIPE"
"""Set to 1 by the person who runs a study that reads through shell commands: a study file alone must not run any."""


class Reading(Model):
    """How the streaming path reads the tars; nothing of it matters to a set that is resident in memory."""

    order: Literal["random", "sequential"] = "random"
    """random: each sample by its place, in a permutation of all. sequential: tars from front to back, in shuffled order."""
    buffer: Count = 100
    """Images that each stream of a sequential reading keeps and draws the next one from."""
    address: str | None = None
    """Where the tars lie (a folder, https://..., s3://..., pipe:COMMAND {name}); none: with their index. They are compared
    with the index wherever they come from, so this changes no result and no key."""
    cache: str | None = None
    """A folder on a local disk that keeps the tars that were read; none: they are read again in every epoch."""
    cache_gib: Positive = Field(default=100.0)
    """Size that the cache is kept to: the tars that were fetched first go first."""

    def content(self) -> dict[str, Any] | None:
        """What of it decides the order of the images; none for random reading."""
        return {"order": self.order, "buffer": self.buffer} if self.order == "sequential" else None

    @property
    def scheme(self) -> str:
        """http, s3, pipe, ... of the address; empty for a folder."""
        return urlsplit(self.address or "").scheme

    @model_validator(mode="after")
    def _together(self) -> Self:
        for name in ("address", "cache"):
            if self.order == "random" and getattr(self, name) is not None:
                raise ValueError(f"{name} belongs to order sequential; leave it out, or read sequentially")
        return self

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.scheme not in ("", *SCHEMES):
            raise ValueError(
                f"address: there is no way to read {self.scheme}: addresses; known are {', '.join(SCHEMES)}"
            )
        if self.scheme == "pipe":
            if "{name}" not in (self.address or ""):
                raise ValueError("address: a pipe: command has to say {name} where the name of the tar belongs")
            return self
        parts = urlsplit(self.address or "")
        if parts.query or "@" in parts.netloc:
            raise ValueError(
                "address: records would show the password or signature in it; leave it to the reading tool's own settings "
                "(~/.curlrc, ~/.aws), or to a pipe: command"
            )
        return self

    def check(self) -> None:
        """ValueError for a shell command that nobody on this machine has allowed."""
        if self.scheme == "pipe" and os.environ.get(ALLOW_PIPE) != "1":
            raise ValueError(
                f"reading.address: {self.address!r} runs a command of the study's on this machine; if you trust it, set "
                f"{ALLOW_PIPE}=1 in the environment"
            )
