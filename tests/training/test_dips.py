import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.training.dips import count_dips, deepest

CURVES = st.lists(st.floats(0, 1), max_size=40)
NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([], 0),
        ([0.1, 0.2, 0.3], 0),
        ([0.5, 0.3, 0.3, 0.5], 1),  # one dip, however long
        ([0.5, 0.3, 0.5, 0.2, 0.6], 2),
        ([0.5, 0.3, 0.35], 1),  # no recovery
        ([0.5, 0.41, 0.5], 0),  # not deep enough
        ([0.5, 0.3, 0.45, 0.3], 2),  # within the depth of the best counts as recovered
        ([0.5, 0.45, 0.41, 0.37], 1),  # a slow slide counts from the best, not from the value before
        ([0.5, NAN, 0.5], 1),
        ([NAN, 0.2, 0.5], 0),  # nothing to fall from yet
    ],
)
def test_dips_of_known_curves(values, count):
    assert count_dips(values, 0.1) == count


@given(CURVES)
def test_a_sorted_curve_has_no_dip_and_never_falls(values):
    assert count_dips(sorted(values), 1e-9) == 0
    assert deepest(sorted(values)) == 0


@given(CURVES, st.floats(0.01, 0.5))
def test_there_is_a_dip_exactly_where_the_deepest_fall_is_deeper(values, depth):
    assert (count_dips(values, depth) > 0) == any(
        later < earlier - depth for i, earlier in enumerate(values) for later in values[i:]
    )
    falls = [earlier - later for i, earlier in enumerate(values) for later in values[i:]]
    assert deepest(values) == max(falls, default=0.0)
