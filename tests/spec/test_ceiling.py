"""The ceiling of a study: which runs it adds, with which network, and what it stays out of."""

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.load import load_study
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.scales import SCALES

STUDY = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: moco, queue_size: 512, label: plain}, {use: simclr, label: other}]
grid: {temperature: [0.1, 0.2], training.batch_size: [32, 64]}
seeds: [0, 1]
training: {epochs: 3}
evaluation: [{use: knn}, {use: linear}]
tables:
  - {name: every, caption: c, rows: all}
  - {name: own, caption: c, rows: methods}
  - {name: batches, caption: c, rows: [{arms: training.batch_size}]}
"""
CEILING = "ceiling: {recipe: supervised/small}\n"


def planned(folder: Path, text: str = STUDY + CEILING, old: str = "", new: str = "") -> Plan:
    assert old in text
    file = folder / "x.yaml"
    file.write_text(text.replace(old, new) if old else text)
    return plan_file(file)


def trained(plan: Plan, use: str = "supervised") -> list:
    return [job.spec for job in plan.of("pretrain") if job.spec.method.use == use]


def test_it_is_one_run_a_seed_with_the_studys_budget_beside_jobs_that_stay_as_they_were(tmp_path: Path) -> None:
    plan, without = planned(tmp_path), planned(tmp_path, STUDY)
    assert without.jobs.items() <= plan.jobs.items()
    new = [plan.names[place] for place in plan.jobs if place not in without.jobs]
    assert {name.label for name in new} == {"supervised"}
    assert len(new) == 2 * (1 + 2)  # a training and two protocols for each of two seeds
    assert [spec.seed for spec in trained(plan)] == [0, 1]
    assert {spec.training.epochs for spec in trained(plan)} == {3}
    assert {spec.encoder.width for spec in trained(plan)} == {8}  # the recipe was measured with 16
    assert not trained(without)


def test_no_ablation_table_takes_it_for_an_arm(tmp_path: Path) -> None:
    labels = {table.name: [row.label for row in table.rows] for table in planned(tmp_path).tables}
    assert labels["every"][-1] == "supervised"
    assert labels["every"][2:-1] == labels["own"]
    assert len(labels["own"]) == 8
    assert "supervised" not in labels["own"] + labels["batches"]


def test_tables_and_claims_may_name_it(tmp_path: Path) -> None:
    claim = "claims: [{text: t., first: supervised, second: {floor: pixels}}]\n"
    plan = planned(tmp_path, STUDY + CEILING + claim, "rows: methods", "rows: [{method: supervised}]")
    assert [row.label for row in plan.tables[1].rows] == ["supervised"]
    assert plan.claims[0].first.labels == ("supervised",)
    with pytest.raises(InputError, match="the study has no method 'supervised'"):
        planned(tmp_path, STUDY + claim)


def test_a_vit_is_not_trained_by_a_resnets_recipe_but_by_settings_of_the_entry(tmp_path: Path) -> None:
    mae = "methods: [{use: mae, encoder: {use: vit, size: micro, patch: 4}}]\n"
    text = STUDY[: STUDY.index("methods:")] + mae + STUDY[STUDY.index("seeds:") : STUDY.index("tables:")]
    assert not trained(planned(tmp_path, text + CEILING))
    plan = planned(tmp_path, text + CEILING.replace("small}", "small, training: {lr_per_256: 0.002}}"))
    assert {spec.training.lr_per_256 for spec in trained(plan)} == {0.002}
    assert {spec.encoder for spec in trained(plan)} == {spec.encoder for spec in trained(plan, "mae")}
    named = CEILING.replace("small}", "small, encoder: {use: resnet, depth: 18}}")
    assert {spec.encoder.short_name for spec in trained(planned(tmp_path, text + named))} == {"resnet18w16"}


def test_a_study_that_lists_its_own_or_wants_none_has_no_other(tmp_path: Path) -> None:
    own = "methods: [{use: supervised, label: mine, label_smoothing: 0.1}, "
    text = STUDY.replace("temperature: [0.1, 0.2], ", "") + CEILING
    listed = planned(tmp_path, text, "methods: [", own)
    assert {listed.names["pretrain", job.key].method for job in listed.of("pretrain")} == {"mine", "plain", "other"}
    for off in ("false", "null"):
        assert not trained(planned(tmp_path, STUDY + f"ceiling: {off}\n"))


def test_a_report_is_told_of_it_as_of_a_supervised_method_that_a_study_lists(tmp_path: Path) -> None:
    """So that it is a ceiling there and has no rank: tests/report/test_data_sets.py, test_sensitivity.py."""
    text = STUDY[: STUDY.index("grid:")] + STUDY[STUDY.index("seeds:") : STUDY.index("tables:")]
    own, ceiling = "label: other}, {use: supervised}]", "ceiling: {use: supervised}\n"
    added, listed = (planned(tmp_path, text + ceiling).dump(), planned(tmp_path, text, "label: other}]", own).dump())
    assert added == listed
    assert "supervised" in {job["label"] for job in added["jobs"]}


@pytest.mark.parametrize("data", ["{use: stl10, image_size: 32}", "{use: digits, labels: none, image_size: 16}"])
def test_it_is_off_where_images_have_no_labels(tmp_path: Path, data: str) -> None:
    text = STUDY[: STUDY.index("tables:")].replace("{use: digits, image_size: 16}", data) + CEILING
    if "labels: none" in data:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "0.png").touch()
        text = text.replace("use: digits", f"use: imagefolder, name: mine, folder: {folder}")
        target = "datasets: [{use: digits, role: target, image_size: 16}, "
        text = text.replace("dataset: {", target + "{").replace("image_size: 16}\nenc", "image_size: 16}]\nenc")
    assert not trained(planned(tmp_path, text))


def test_a_supervised_method_on_partly_labelled_images_is_refused_before_anything_runs(tmp_path: Path) -> None:
    text = STUDY[: STUDY.index("grid:")] + STUDY[STUDY.index("seeds:") : STUDY.index("tables:")]
    text = text.replace("digits", "stl10").replace("methods: [", "methods: [{use: supervised}, ")
    with pytest.raises(InputError, match="some images of stl10 have none; take those with labels alone"):
        planned(tmp_path, text)
    assert trained(planned(tmp_path, text, "use: stl10", "use: stl10, unlabelled: false"))


@pytest.mark.parametrize(
    ("ceiling", "message"),
    [
        ("{use: simclr}", "ceiling.use: must be supervised, which trains on the labels, got simclr"),
        ("{use: supervised, grid: {training.epochs: [1, 2]}}", "ceiling.grid: the ceiling is one run a seed"),
        ("{use: supervised, label: plain}", "two are called plain"),
        ("{use: supervised, label_smothing: 0.1}", "ceiling.label_smothing"),
        ("true", "ceiling: must be a mapping"),
    ],
)
def test_another_ceiling_is_refused(tmp_path: Path, ceiling: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        planned(tmp_path, STUDY + f"ceiling: {ceiling}\n")
    assert message in str(error.value)


@pytest.mark.parametrize("scale", sorted(path.stem for path in SCALES.glob("*.yaml")))
def test_every_scale_gives_one(tmp_path: Path, scale: str) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(f"question: q\nscale: {scale}\nmethods: [{{recipe: moco_v2}}]\n")
    plan = plan_file(file)
    assert len(trained(plan)) == len(plan.study.seeds)
    file.write_text(file.read_text() + "ceiling: false\n")
    assert load_study(file).ceiling is None
