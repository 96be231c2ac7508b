"""A small finished study, run once for all tests that copy and damage it."""

import pytest
from damage_tools import Finished


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished.made(tmp_path_factory.mktemp("study"))
