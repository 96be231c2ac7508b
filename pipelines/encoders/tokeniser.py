"""Text to numbers, byte by byte: a tokeniser whose whole vocabulary is the 256 bytes and three marks.

Made with the tokenizers library (its byte-level alphabet, no merges), so that there is no file to load or to train.
CLIP has 49,152 merged tokens of lower-cased text instead; a caption is about four times as long here.

Vocabulary: 0 .. 255 are bytes of UTF-8, in the order of GPT-2's printable stand-ins for them; then START, END and PAD.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

START, END, PAD = 256, 257, 258
VOCABULARY = 259
"""Number of tokens."""


class ByteTokeniser:
    """Lower-cased, stripped, NFC-normalised text as START, its bytes, END.

    context: most tokens of a text, marks included; longer texts are cut behind, and keep their END.
    """

    def __init__(self, context: int) -> None:
        assert context >= 3
        self.context = context

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, T) int64, T the length of the longest text and at most ``context``; shorter ones are filled with PAD."""
        # one by one: the library's threads do not go with worker processes that are forked later
        rows = [self._library.encode(text).ids for text in texts]
        result = torch.full((len(rows), max(map(len, rows), default=0)), PAD)
        for row, numbers in zip(result, rows):
            row[: len(numbers)] = torch.tensor(numbers)
        return result

    def text(self, tokens: Tensor) -> str:
        """What tokens (T,) say, without the marks."""
        return str(self._library.decode([number for number in tokens.tolist() if number < START]))

    @cached_property
    def _library(self) -> "Tokenizer":

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        marks = {"<start>": START, "<end>": END, "<pad>": PAD}  # as text these words are bytes like any others
        made = Tokenizer(models.BPE(vocab={sign: i for i, sign in enumerate(alphabet)} | marks, merges=[]))
        made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Strip()])
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made.decoder = decoders.ByteLevel()
        made.post_processor = processors.TemplateProcessing(
            single="<start> $A <end>", special_tokens=[("<start>", START), ("<end>", END)]
        )
        made.enable_truncation(self.context)
        return made
