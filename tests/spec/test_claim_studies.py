"""The studies of reproduce_claims: each plans, at the scale it is written at and at the next larger one, and claims."""

from pathlib import Path

import pytest

from pipelines.spec.load import load_study
from pipelines.spec.plan import plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.workflow import WorkflowConfig
from pipelines.statistics.paired import pairs_needed

ROOT = RECIPES.parents[1]
STUDIES = sorted(file for folder in WorkflowConfig(studies=("any",)).claims for file in (ROOT / folder).glob("*.yaml"))


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: f"{file.parent.name}/{file.stem}")
@pytest.mark.parametrize("scale", ["digits", "fashion_mnist"])
def test_it_plans_and_has_seeds_enough_for_a_verdict(file: Path, scale: str, tmp_path: Path) -> None:
    moved = tmp_path / file.name
    moved.write_text(file.read_text().replace("\nscale: digits\n", f"\nscale: {scale}\n"))
    made = plan(load_study(moved))
    assert made.study.scale == scale
    assert made.claims
    assert len(made.study.seeds) >= pairs_needed()
