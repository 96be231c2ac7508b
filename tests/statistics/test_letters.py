"""Letters: two names share one exactly when they were not shown to differ."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.statistics.letters import compact_letters, different_pairs, within_noise_of_best

NAMES = tuple("ABCDEFG")
PAIRS = [frozenset(pair) for pair in combinations(NAMES, 2)]


@given(st.sets(st.sampled_from(PAIRS)))
def test_sharing_a_letter_means_not_shown_to_differ(different):
    letters = compact_letters(NAMES, frozenset(different))
    for pair in PAIRS:
        one, other = pair
        assert bool(set(letters[one]) & set(letters[other])) == (pair not in different)
    assert letters["A"].startswith("a")
    used = set("".join(letters.values()))
    sets = [{name for name in NAMES if letter in letters[name]} for letter in used]
    assert not any(a < b for a in sets for b in sets)  # no letter that another makes superfluous


def test_letters_by_hand():
    order = ("best", "good", "poor")
    assert compact_letters(order, frozenset()) == {"best": "a", "good": "a", "poor": "a"}
    apart = frozenset({frozenset(("best", "poor"))})
    assert compact_letters(order, apart) == {"best": "a", "good": "ab", "poor": "b"}
    everything = frozenset(map(frozenset, combinations(order, 2)))
    assert compact_letters(order, everything) == {"best": "a", "good": "b", "poor": "c"}


def test_more_than_the_alphabet():
    order = [str(i) for i in range(60)]
    letters = compact_letters(order, frozenset(map(frozenset, combinations(order, 2))))
    assert len(set(letters.values())) == 60
    assert letters["59"] == "(60)"


def test_within_noise_of_best():
    different = frozenset({frozenset(("A", "C")), frozenset(("B", "D"))})
    assert within_noise_of_best("ABCD", different) == ("A", "B", "D")


def test_corrected_pairs_are_benjamini_and_hochbergs():
    p = dict(zip(PAIRS, [0.001, 0.02, 0.03, 0.04, 0.5]))
    assert different_pairs(p, correct=False) == set(PAIRS[:4])
    assert different_pairs(p) == set(PAIRS[:4])  # 0.04 * 5 / 4 = 0.05
    assert different_pairs({**p, PAIRS[5]: 0.6}) == {PAIRS[0]}  # 0.04 * 6 / 4 and 0.02 * 6 / 2 are 0.06
    assert different_pairs({}) == frozenset()


def test_six_seeds_are_enough_where_all_pairs_are_clear():
    assert different_pairs(dict.fromkeys(PAIRS, 2 / 2**6)) == set(PAIRS)
    assert not different_pairs(dict.fromkeys(PAIRS, 2 / 2**5))


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="distinct names"):
        compact_letters(("A", "A"), frozenset())
    with pytest.raises(ValueError, match="distinct names"):
        compact_letters(("A", "B"), frozenset({frozenset(("A", "X"))}))
