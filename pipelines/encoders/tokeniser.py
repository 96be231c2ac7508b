"""Text to numbers: a tokeniser whose vocabulary is the 256 bytes and three marks, and merges of them where some are given.

Made with the tokenizers library (its byte-level alphabet). Without merges there is nothing to load or to train, and a
caption is about four times as long as with CLIP's 48,894 merges of lower-cased text. Merges are learnt from texts by
byte-pair encoding within words (Sennrich et al. 2016, arXiv:1508.07909).

Vocabulary: 0 .. 255 are bytes of UTF-8, in the order of GPT-2's printable stand-ins for them; then START, END and PAD;
then what the merges make, in their order.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

START, END, PAD = 256, 257, 258
VOCABULARY = 259
"""Number of tokens without merges."""
Merge = tuple[int, int]
"""Two tokens that stand side by side and become one."""


def learnt_merges(texts: Iterable[str], count: int) -> list[Merge]:
    """The first ``count`` merges of byte-pair encoding on texts, fewer where they give no more; their order does not matter."""
    made = Tokenizer(models.BPE())
    made.normalizer, made.pre_tokenizer = _normaliser(), _words()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=256 + count, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts, trainer)
    found = json.loads(made.to_str())["model"]["merges"][:count]
    numbers = {sign: i for i, sign in enumerate(alphabet)}
    merges = []
    for one, other in found:
        merges.append((numbers[one], numbers[other]))
        numbers.setdefault(one + other, VOCABULARY + len(merges) - 1)
    return merges


def _normaliser() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Strip()])


def _words() -> pre_tokenizers.PreTokenizer:
    """GPT-2's: a word with the space before it, numbers and punctuation apart."""
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def filled(rows: Sequence[Sequence[int]]) -> Tensor:
    """(N, T) int64, T the length of the longest row; shorter ones end with PAD."""
    result = torch.full((len(rows), max(map(len, rows), default=0)), PAD)
    for row, numbers in zip(result, rows):
        row[: len(numbers)] = torch.tensor(numbers)
    return result


class ByteTokeniser:
    """Lower-cased, stripped, NFC-normalised text as START, its bytes, END.

    context: most tokens of a text, marks included; longer texts are cut behind, and keep their END. merges: what of the
    bytes becomes one token, the ith of them token VOCABULARY + i.
    """

    def __init__(self, context: int, merges: Sequence[Merge] = ()) -> None:
        assert context >= 3
        self.context, self.merges = context, tuple(merges)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, T) int64, T the length of the longest text and at most ``context``; shorter ones are filled with PAD."""
        # one by one: the library's threads do not go with worker processes that are forked later
        return filled([self._library.encode(text).ids for text in texts])

    def text(self, tokens: Tensor) -> str:
        """What tokens (T,) say, without the marks."""
        return str(self._library.decode([number for number in tokens.tolist() if number not in (START, END, PAD)]))

    @cached_property
    def _library(self) -> "Tokenizer":

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        marks = {"<start>": START, "<end>": END, "<pad>": PAD}  # as text these words are bytes like any others
        vocabulary = {sign: i for i, sign in enumerate(alphabet)}
        signs, pairs = dict(enumerate(alphabet)), []
        for number, (one, other) in enumerate(self.merges, start=VOCABULARY):
            pairs.append((signs[one], signs[other]))
            signs[number] = signs[one] + signs[other]
            vocabulary.setdefault(signs[number], number)  # two merges may make the same word
        made = Tokenizer(models.BPE(vocab=vocabulary | marks, merges=pairs))
        made.normalizer, made.pre_tokenizer = _normaliser(), _words()
        made.decoder = decoders.ByteLevel()
        made.post_processor = processors.TemplateProcessing(
            single="<start> $A <end>", special_tokens=[("<start>", START), ("<end>", END)]
        )
        made.enable_truncation(self.context)
        return made
