import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encoders.tokeniser import END, PAD, START, VOCABULARY, ByteTokeniser, learnt_merges

TOKENISE = ByteTokeniser(context=64)


def test_a_text_is_its_bytes_between_two_marks():
    tokens = TOKENISE(["ab", "A cat"])
    assert tokens.shape == (2, 7)
    assert tokens[0].tolist()[:1] + tokens[0].tolist()[3:] == [START, END, PAD, PAD, PAD]
    a, b = tokens[0, 1:3].tolist()
    assert b == a + 1
    assert tokens[1, 1] == a  # lower-cased
    assert tokens[1, 6] == END


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=12))
def test_no_text_is_outside_the_vocabulary_and_each_has_one_end(text):
    (tokens,) = TOKENISE([text])
    assert tokens[0] == START
    assert tokens.max() < VOCABULARY
    assert (tokens == END).sum() == 1
    assert tokens[-1] == END
    assert len(tokens) == len(TOKENISE.text(tokens).encode()) + 2


def test_marks_written_as_text_are_text():
    (tokens,) = TOKENISE(["<end> <pad>"])
    assert TOKENISE.text(tokens) == "<end> <pad>"
    assert (tokens == END).sum() == 1
    assert not (tokens == PAD).any()


def test_long_texts_are_cut_and_keep_their_end():
    short = ByteTokeniser(context=6)
    (tokens,) = short(["abcdefgh"])
    assert tokens.tolist() == [*TOKENISE(["abcd"])[0].tolist()[:5], END]


def test_spaces_around_and_ways_of_writing_an_accent_make_no_difference():
    assert torch.equal(TOKENISE(["  caf\u00e9 "]), TOKENISE(["cafe\u0301"]))


def test_no_texts_make_no_rows():
    assert TOKENISE([]).shape == (0, 0)


TEXTS = ["a red square", "a red car", "a blue square", "the reddest car"] * 3


def test_merges_are_those_counted_by_hand():
    """ab stands in four words, abc in three: then the most frequent pairs are a b and ab c."""
    texts = ["abc", "abc", "abc", "abd"]
    a, b, c = (int(ByteTokeniser(8)([letter])[0, 1]) for letter in "abc")
    merges = learnt_merges(texts, 2)
    assert merges == [(a, b), (VOCABULARY, c)]
    tokenise = ByteTokeniser(8, merges)
    assert tokenise(["abc"])[0].tolist() == [START, VOCABULARY + 1, END]
    assert tokenise(["ab"])[0].tolist() == [START, VOCABULARY, END]
    assert tokenise(["b"])[0].tolist() == [START, b, END]


def test_neither_the_order_nor_the_run_changes_the_merges():
    assert learnt_merges(TEXTS, 12) == learnt_merges(TEXTS[::-1], 12) == learnt_merges(TEXTS, 40)[:12]


def test_texts_that_give_no_more_merges_give_fewer():
    assert len(learnt_merges(["ab"], 5)) == 1
    assert learnt_merges([], 5) == []


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=12))
def test_merged_texts_say_the_same_in_no_more_tokens(text):
    tokenise = ByteTokeniser(64, learnt_merges(TEXTS, 20))
    (tokens,), (plain,) = tokenise([text]), TOKENISE([text])
    assert tokenise.text(tokens) == TOKENISE.text(plain)
    assert len(tokens) <= len(plain)
    assert tokens.max() < VOCABULARY + 20
    assert tokenise(["a red car"]).shape[1] < TOKENISE(["a red car"]).shape[1] / 2
