"""The studies of reproduce_claims at every scale that they name: each plans, claims, and compares what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.load import load_study
from pipelines.spec.plan import Plan, plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.workflow import WorkflowConfig
from pipelines.statistics.paired import pairs_needed

ROOT = RECIPES.parents[1]
STUDIES = sorted(file for folder in WorkflowConfig(studies=("any",)).claims for file in (ROOT / folder).glob("*.yaml"))
SCALES = ("digits", "fashion_mnist", "imagenet100", "imagenet1k")
TRANSFORMATION = [file for file in STUDIES if file.parent.name == "feature_transformation" and file.stem != "momentum"]


def at_scale(file: Path, scale: str, folder: Path) -> Plan:
    moved = folder / file.name
    moved.write_text(file.read_text().replace("\nscale: digits\n", f"\nscale: {scale}\n"))
    made = plan(load_study(moved))
    assert made.study.scale == scale
    return made


def named(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("file", STUDIES, ids=named)
def test_it_plans_and_has_seeds_enough_for_a_verdict(file: Path, scale: str, tmp_path: Path) -> None:
    made = at_scale(file, scale, tmp_path)
    assert made.claims
    assert len(made.study.seeds) >= pairs_needed()
    shown = {row.label for table in made.tables for row in table.rows}
    assert [label for label in labels(made) if label not in shown] == [], "a row that no table of the study has"
    for job in made.of("pretrain"):
        transform = getattr(job.spec.method, "feature_transform", None)
        assert transform is None or transform.start_epoch < job.spec.training.epochs / 2 or file.stem == "start_epoch"


@pytest.mark.parametrize("question", ["--counts", "--cost", "--power"])
@pytest.mark.parametrize("scale", ["imagenet100", "imagenet1k"])
def test_a_scale_is_counted_where_its_images_are_not_here(
    scale: str, question: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = at_scale(STUDIES[0], scale, tmp_path)
    assert main(["plan", str(tmp_path / STUDIES[0].name), "--results", str(tmp_path), question]) == 0
    told = capsys.readouterr()
    assert f"# counted without files: study {made.study.name}" in told.out
    assert not told.err
    jobs = len(made.of("pretrain"))
    asked = {
        "--counts": f"# pretrain: {jobs} jobs, 0 done",
        "--cost": f"# pretrain: {jobs} jobs to do",
        "--power": made.claims[0].text,
    }
    assert asked[question] in told.out


def labels(made: Plan) -> list[str]:
    """What is trained and compared, by the labels of the tables: the ceiling stands in the results table alone."""
    jobs = [
        job for job in made.of("pretrain") if isinstance(job.spec, PretrainSpec) and job.spec.method.use != "supervised"
    ]
    return list(dict.fromkeys(made.names[job.place].label for job in jobs))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("file", TRANSFORMATION, ids=named)
def test_what_is_compared_differs_in_the_transformation_alone(file: Path, scale: str, tmp_path: Path) -> None:
    """Momentum, rate and schedule of the baseline are those of the proposal: another would be mistaken for a gain."""
    made = at_scale(file, scale, tmp_path)
    runs = [job.spec for job in made.of("pretrain") if isinstance(job.spec, PretrainSpec) and job.spec.seed == 0]
    rivals = [run for run in runs if not transforms(run) and run.method.use != "supervised"]
    plain = [dict(flat(run.model_dump(mode="json"))) for run in rivals]
    assert plain or file.stem == "granularity"
    for run in (dict(flat(run.model_dump(mode="json"))) for run in runs if transforms(run)):
        nearest = min((differing(run, other) for other in plain), key=len, default=set())
        assert nearest == set(), f"no baseline of {run['method.use']} with the same settings"


def transforms(run: PretrainSpec) -> bool:
    return getattr(run.method, "feature_transform", None) is not None


def differing(run: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The paths at which two runs differ, those of the transformation left out."""
    keys = {key for key in run.keys() | other.keys() if "feature_transform" not in key}
    return {key for key in keys if run.get(key) != other.get(key)}


@pytest.mark.parametrize(
    ("study", "scale", "path", "value"),
    [
        ("momentum", "imagenet100", "method.temperature", 0.07),  # the paper's plots
        ("momentum", "imagenet100", "training.epochs", 100),
        ("alpha_ex", "imagenet100", "method.momentum", 0.99),  # the released code's README after its issue 1
        ("alpha_ex", "imagenet1k", "method.momentum", 0.999),
        ("alpha_ex", "imagenet1k", "method.temperature", 0.2),
        ("alpha_ex", "imagenet1k", "training.epochs", 200),
        ("alpha_ex", "imagenet1k", "training.lr_per_256", 0.03),
        ("sides", "imagenet100", "method.momentum", 0.99),
    ],
)
def test_it_has_the_papers_settings_on_imagenet(
    study: str, scale: str, path: str, value: float, tmp_path: Path
) -> None:
    made = at_scale(ROOT / "experiments" / "feature_transformation" / f"{study}.yaml", scale, tmp_path)
    moco = [
        dict(flat(job.spec.model_dump(mode="json"))) for job in made.of("pretrain") if job.spec.method.use == "moco"
    ]
    assert {run[path] for run in moco} == {value}
    starts = {run.get("method.feature_transform.start_epoch") for run in moco}
    assert starts <= {None, 0.0}
