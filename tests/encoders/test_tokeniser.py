import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encoders.tokeniser import END, PAD, START, VOCABULARY, ByteTokeniser

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
