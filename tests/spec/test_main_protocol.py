"""Which protocol of a study leads, and that all that takes one number takes it."""

from pathlib import Path

import pytest
from report_tools import planned

from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.report.comparison import comparisons
from pipelines.report.study import load_results
from pipelines.spec.load import load_study
from pipelines.spec.named import number
from pipelines.spec.plan import plan_file
from pipelines.tracking.tree import tree_of

STUDY = """
question: Which?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods: [{{use: simclr, label: new}}, {{use: byol, label: base}}]
training: {{epochs: 2, batch_size: 64}}
seeds: [0]
evaluation: {evaluation}
{more}
"""
CLAIMS = "claims: [{text: New is better., first: new, second: base}]"
BOTH = "[{use: knn}, {use: linear}]"


def written(folder: Path, evaluation: str = BOTH, more: str = "") -> Path:
    file = folder / "asked.yaml"
    file.write_text(STUDY.format(evaluation=evaluation, more=more))
    return file


@pytest.mark.parametrize(
    ("evaluation", "more", "leads"),
    [
        (BOTH, "", "linear/top1"),
        (BOTH, "main: knn", "knn/top1"),
        ("[{use: knn}, {use: linear_augmented, form: moco}, {use: linear}]", "", "linear_augmented/top1"),
        ("[{use: few_shot, shots: [4, 1]}, {use: knn}]", "", "few_shot/4_shot"),
        ("[{use: linear}, {use: knn, k: 5}, {use: knn, k: 20}]", 'main: "knn[k=20]"', "knn[k=20]/top1"),
    ],
)
def test_the_one_that_is_named_leads_else_a_linear_probe_else_the_first(
    tmp_path: Path, evaluation: str, more: str, leads: str
) -> None:
    file = written(tmp_path, evaluation, f"{more}\n{CLAIMS}")
    assert number(load_study(file), None, "where", "the claim") == leads
    assert plan_file(file).claims[0].first.metric == leads


@pytest.mark.parametrize(
    ("evaluation", "main", "message"),
    [
        (BOTH, "lienar", "main: evaluation has no protocol 'lienar'; there are: knn, linear"),
        (BOTH, "knn/top1", "main: evaluation has no protocol 'knn/top1'; there are: knn, linear"),
        ("[{use: knn, k: 5}, {use: knn, k: 20}]", "knn", "main: 2 protocols are called knn; say which by an option"),
    ],
)
def test_what_is_no_protocol_of_the_study_is_refused(tmp_path: Path, evaluation: str, main: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_study(written(tmp_path, evaluation, f"main: {main}"))
    assert message in str(error.value)
    assert str(tmp_path / "asked.yaml") in str(error.value)


def test_a_scale_names_it_for_its_own_protocols_alone(tmp_path: Path) -> None:
    def main(more: str) -> str:
        file = tmp_path / "sweep.yaml"
        file.write_text(f"question: Why?\nscale: digits\nmethods: [{{recipe: moco_v2}}]\n{more}")
        return load_study(file).main_protocol.use

    assert main("") == "knn"
    assert main("main: linear") == "linear"
    assert main(f"evaluation: {BOTH}") == "linear"


def test_tables_and_tracking_follow_it_and_no_key_does(tmp_path: Path) -> None:
    found, jobs = {}, []
    for main in ("knn", "linear"):
        plan = planned(tmp_path, STUDY.format(evaluation=BOTH, more=f"main: {main}"))
        value = read_json(plan)
        (comparison,) = comparisons(load_results(plan, tmp_path))
        found[comparison.columns[0].evaluation.use] = tree_of(value, tmp_path).main
        jobs.append(value["jobs"])
    assert jobs[0] == jobs[1]
    assert found == {"knn": "knn20/top1", "linear": "linear/top1"}
