"""A vocabulary of merged tokens from a file: CLIP's own list of merges, or what the library tokenizers writes."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field

from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.listing.paths import expanded
from pipelines.spec.base import Model

CLIPS = 48_894
"""Merges that CLIP takes of its file, which holds 262,144."""
WORD_END = "</w>"
"""What CLIP puts behind the last token of a word."""
PRINTED = (*range(33, 127), *range(161, 173), *range(174, 256))
MOST_BYTES = 1 << 26
"""Of a file, unpacked: CLIP's has 3 MB, and a few bytes of gzip can hold any number."""
ALPHABET = [chr(number) for number in (*PRINTED, *range(256, 512 - len(PRINTED)))]
"""GPT-2's printable stand-ins for the 256 bytes, in the order of their numbers."""
FORMS = (
    "a vocabulary is CLIP's list of merges (bpe_simple_vocab_16e6.txt.gz, or merges.txt: two signs a line), or the "
    "tokenizer.json of a BPE model as the library tokenizers writes it"
)


class Vocabulary(Model):
    """A file of merges."""

    path: str
    """A list of merges, plain or gzipped, or a tokenizer.json."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """What the file has to be; none: what it is when the study is planned."""

    def known(self) -> Self:
        """With the file's path and SHA-256. InputError when it is missing, another one, or holds something else."""
        path = expanded(self.path)
        if not path.is_file():
            raise InputError(f"vocabulary.path: there is no file {path}; fetch it, or mend the path")
        found = sha256_file(path)
        if self.sha256 not in (None, found):
            raise InputError(
                f"vocabulary.sha256: {path} has {found}, not {self.sha256}; fetch the file anew or mend the line"
            )
        read(path)
        return self.model_copy(update={"path": str(path), "sha256": found})


def read(path: Path) -> dict[str, Any] | list[tuple[str, str]]:
    """What a tokenizer.json says, or the merges of a list in its order. InputError names the file and what is wrong."""
    try:
        with path.open("rb") as plain, gzip.open(path) as unpacked:
            data = (unpacked if plain.peek(2)[:2] == b"\x1f\x8b" else plain).read(MOST_BYTES + 1)
        text = data.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"vocabulary: {path} cannot be read ({error}); {FORMS}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"vocabulary: {path} holds more than {MOST_BYTES >> 20} MiB; {FORMS}")
    return _json(text, path) if text.lstrip().startswith("{") else _merges(text, path)


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
        kind = found["model"]["type"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"vocabulary: {path} is no tokenizer.json ({error!r}); {FORMS}") from None
    if kind != "BPE":
        raise InputError(f"vocabulary: {path} holds a {kind} model; {FORMS}")
    return dict(found)


def _merges(text: str, path: Path) -> list[tuple[str, str]]:
    lines = text.splitlines()
    first = 1 if lines and "#version" in lines[0] else 0
    found: list[tuple[str, str]] = []
    known = {sign + end for sign in ALPHABET for end in ("", WORD_END)}
    for number, line in enumerate(lines[first:], start=first + 1):
        parts = line.split(" ")
        if line and (len(parts) != 2 or not known.issuperset(parts)):
            raise InputError(
                f"vocabulary: line {number} of {path} is {line[:40]!r}, and a merge is two signs, each a byte's or made by a "
                f"line above; {FORMS}"
            )
        found += [(parts[0], parts[1])] if line else []
        known.add("".join(parts))
    if not found:
        raise InputError(f"vocabulary: {path} has no merge in it; {FORMS}")
    if not any(WORD_END in pair[1] for pair in found):
        raise InputError(
            f"vocabulary: {path} marks no end of a word ({WORD_END}), so it is not of CLIP's form; {FORMS}"
        )
    return found
