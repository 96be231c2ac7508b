"""The generated schema is fresh and accepts what the loader accepts."""

from pathlib import Path

import pytest

from pipelines.spec.load import load_study
from pipelines.spec.plan import plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.schema import FILE, text

STUDIES = sorted(RECIPES.parent.glob("*.yaml"))


def test_the_schema_file_is_fresh():
    assert Path(FILE).read_text() == text(), "stale; write it with: python -m pipelines.spec.schema"


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_plans(study):
    assert plan(load_study(study)).of("pretrain")
