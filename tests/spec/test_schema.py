"""The generated schemas are fresh, and every study of the project plans."""

import pytest

from pipelines.spec.load import load_study
from pipelines.spec.plan import plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.schema import texts

STUDIES = sorted(RECIPES.parent.glob("*.yaml"))


@pytest.mark.parametrize(("path", "text"), texts().items(), ids=lambda value: getattr(value, "name", ""))
def test_the_schema_files_are_fresh(path, text):
    assert path.read_text() == text, "stale; write it with: python -m pipelines.spec.schema"


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_plans(study):
    assert plan(load_study(study)).of("pretrain")
