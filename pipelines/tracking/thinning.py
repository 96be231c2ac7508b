"""Thinning: which readings of a long curve MLflow gets. All of them stay in history.jsonl."""

ALL = 2000
"""The first readings of a metric are all sent."""
AN_OCTAVE = 250
"""Readings that are sent of each doubling after that: 900,000 readings become about 4,200."""


def is_sent(reading: int) -> bool:
    """Whether the ``reading``-th value of a metric (from 0) is sent; it depends on nothing that comes later."""
    if reading < ALL:
        return True
    first_of_octave = ALL << ((reading // ALL).bit_length() - 1)
    return reading % (first_of_octave // AN_OCTAVE) == 0
