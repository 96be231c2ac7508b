"""Text to numbers by a vocabulary that was learnt elsewhere: CLIP's own merges, or a tokenizer.json.

A list of merges is read as CLIP reads its own (Radford et al. 2021, arXiv:2103.00020; simple_tokenizer.py of its code): text
is lower-cased, cut into words, single digits and punctuation, and the last token of a word is marked </w>. Differs: text is
NFC-normalised, where CLIP repairs encodings with ftfy and reads HTML's entities.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from pipelines.encoders.tokeniser import END, START, VOCABULARY, filled
from pipelines.errors import InputError
from pipelines.files import sha256_file
from pipelines.spec.vocabulary import ALPHABET, CLIPS, WORD_END, Vocabulary, read

BYTES = 256
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""CLIP's: what a word is."""


class FileTokeniser:
    """Texts as START, the file's tokens, END. The file's token i is i below 256 and i + 3 from there on, as START, END and PAD
    are 256 to 258.

    context: most tokens of a text, marks included; longer texts are cut behind, and keep their END.
    """

    def __init__(self, context: int, library: Tokenizer) -> None:
        assert context >= 3
        self.context, self.library = context, library

    @property
    def beside_bytes(self) -> int:
        """Tokens beside the first 256 and the marks."""
        return max(0, self.library.get_vocab_size() - BYTES)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, T) int64, T the length of the longest text and at most ``context``; shorter ones are filled with PAD."""
        return filled([self._row(text) for text in texts])

    def _row(self, text: str) -> list[int]:
        ids = self.library.encode(text, add_special_tokens=False).ids[: self.context - 2]
        return [START, *(number if number < BYTES else number + VOCABULARY - BYTES for number in ids), END]


def from_file(vocabulary: Vocabulary, merges: int | None, context: int) -> FileTokeniser:
    """The tokeniser of a file; merges: the first so many of a list, none: CLIP's 48,894, or all where there are fewer.

    InputError where the file is gone, is not the one that was planned, or does not go together.
    """
    path = Path(vocabulary.path)
    if not path.is_file():
        raise InputError(f"vocabulary: there is no file {path} any more; put it back, with SHA-256 {vocabulary.sha256}")
    if vocabulary.sha256 and (found := sha256_file(path)) != vocabulary.sha256:
        raise InputError(
            f"vocabulary: {path} has SHA-256 {found}, when planned it was {vocabulary.sha256}; put that file back or plan anew"
        )
    given = read(path)
    try:
        library = _clips(given[: merges or CLIPS]) if isinstance(given, list) else Tokenizer.from_str(json.dumps(given))
    except Exception as error:  # the library raises plain Exception for whatever is wrong with a vocabulary
        raise InputError(f"vocabulary: {path} does not go together ({error}); fetch the file anew") from None
    library.no_padding()
    library.no_truncation()
    return FileTokeniser(context, library)


def _clips(merges: list[tuple[str, str]]) -> Tokenizer:
    """CLIP's tokens under CLIP's numbers: bytes, bytes at the end of a word, then what the merges make."""
    tokens = [*ALPHABET, *(sign + WORD_END for sign in ALPHABET), *("".join(pair) for pair in merges)]
    numbers: dict[str, int] = {}
    for number, token in enumerate(tokens):
        numbers.setdefault(token, number)
    made = Tokenizer(models.BPE(vocab=numbers, merges=merges, end_of_word_suffix=WORD_END))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return made
