"""The list of faults that ``make mutants`` puts in is not stale; putting them in takes minutes and is left to it."""

import mutants


def test_every_fault_changes_text_that_stands_once_and_names_tests_that_are_there():
    assert mutants.stale(mutants.ROOT) == []


def test_a_text_that_is_gone_is_named(tmp_path):
    assert len(mutants.stale(tmp_path)) >= 2 * len(mutants.MUTANTS)
