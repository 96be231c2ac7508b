"""Declared tables: which rows and columns they mean, what is refused at plan time, and that no key depends on them."""

import re
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.options import by_value, options_of
from pipelines.spec.plan import Plan, plan_file

STUDY = """
question: How?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {use: moco, queue_size: 64, label: plain, grid: {momentum: [0.99, 0.5, 0.9]}}
  - {use: moco, queue_size: 64, label: changed, feature_transform: {}, grid: {momentum: [0.9, 0.5]}}
  - {use: simclr}
seeds: [0, 1]
training: {epochs: 2, batch_size: 32}
evaluation: [{use: knn}, {use: few_shot, shots: [1, 4]}]
tuning: {trials: 2, workers: 1, methods: [plain], space: {temperature: {low: 0.1, high: 0.4}}}
"""
TABLE = """
tables:
  - name: mine
    caption: What is there.
"""


def planned(folder: Path, table: str = "", study: str = STUDY) -> Plan:
    path = folder / "study.yaml"
    path.write_text(study + (TABLE + table if table else ""))
    return plan_file(path)


def rows(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(row.title, row.label, row.over) for row in plan.tables[0].rows]


def test_no_key_and_no_dump_depends_on_tables(tmp_path: Path) -> None:
    with_table, without = planned(tmp_path, "    digits: 2\n"), planned(tmp_path)
    assert list(with_table.jobs) == list(without.jobs)
    assert with_table.dump() == without.dump()
    assert len(with_table.tables) == 1


def test_all_rows_are_the_floors_and_every_run(tmp_path: Path) -> None:
    every = [label for _, label, _ in rows(planned(tmp_path, "    rows: all\n"))]
    assert every[:2] == ["raw pixels", "untrained resnet10w8"]
    assert every[2:] == [label for _, label, _ in rows(planned(tmp_path, "    rows: methods\n"))]
    assert {"plain[momentum=0.5]", "changed[momentum=0.9]", "simclr", "plain[momentum=0.99]_tuned"} < set(every)


def test_arms_are_in_the_order_of_the_value_and_gains_pair_at_the_grid_point(tmp_path: Path) -> None:
    table = "    rows: [{method: plain, arms: momentum}, {method: changed, arms: momentum, over: plain, group: FT}]\n"
    plan = planned(tmp_path, table + "    columns: [knn, {gain: knn}]\n")
    assert rows(plan) == [
        ("0.5", "plain[momentum=0.5]", None),
        ("0.9", "plain[momentum=0.9]", None),
        ("0.99", "plain[momentum=0.99]", None),
        ("0.5", "changed[momentum=0.5]", "plain[momentum=0.5]"),
        ("0.9", "changed[momentum=0.9]", "plain[momentum=0.9]"),
    ]
    assert plan.tables[0].heading == "momentum"


def test_arms_of_all_methods_say_whose_they_are_where_a_value_comes_twice(tmp_path: Path) -> None:
    found = rows(planned(tmp_path, "    rows: [{arms: momentum, title: 'm = {value}'}]\n"))
    assert found[0][0] == "m = 0.5 (plain[momentum=0.5])"
    assert len(found) == 5
    assert not any("tuned" in label or "simclr" in label for _, label, _ in found)


def test_all_columns_are_every_number(tmp_path: Path) -> None:
    found = planned(tmp_path, "    columns: all\n").tables[0].columns
    assert [column.number for column in found] == ["knn/top1", "few_shot/1_shot", "few_shot/4_shot"]
    assert [column.title for column in found] == ["kNN", "few-shot, 1 shot", "few-shot, 4 shot"]


def test_several_data_sets_have_a_column_each_under_the_protocol(tmp_path: Path) -> None:
    targets = "datasets:\n  - {use: digits, image_size: 16}\n  - {use: mnist_5k, image_size: 16, role: target}\n"
    study = STUDY.replace("dataset: {use: digits, image_size: 16}\n", targets)
    found = planned(tmp_path, "    columns: [knn, {rank: knn}]\n", study).tables[0].columns
    assert [(column.group, column.title, column.dataset) for column in found] == [
        ("kNN", "digits", "digits"),
        ("kNN", "mnist_5k", "mnist_5k"),
        ("kNN", "mean rank", None),
    ]
    one = planned(tmp_path, "    columns: [{metric: knn, dataset: mnist_5k}]\n", study).tables[0].columns
    assert [(column.group, column.title) for column in one] == [("", "kNN")]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "    rows: [simclar]\n",
            "tables[0].rows[0].method: the study has no method 'simclar'; did you mean 'simclr'?",
        ),
        (
            "    columns: [linaer]\n",
            "tables[0].columns[0].metric: the study has no evaluation 'linaer'; there are: few_",
        ),
        (
            "    columns: [few_shot/2_shot]\n",
            "columns[0].metric: few_shot has no number '2_shot'; did you mean '4_shot'?",
        ),
        (
            "    columns: [{monitor: collapse/rank}]\n",
            "tables[0].columns[0].monitor: training records no 'collapse/rank'; ",
        ),
        (
            "    columns: [{metric: knn, dataset: digit}]\n",
            "columns[0].dataset: the study has no data set 'digit' of which",
        ),
        (
            "    columns: [{metric: knn, rank: knn}]\n",
            "tables[0].columns[0]: give one of metric, gain, monitor, rank, publi",
        ),
        (
            "    columns: [{}]\n",
            "tables[0].columns[0]: give one of metric, gain, monitor, rank, published, elsewhere, reproduces, got no",
        ),
        (
            "    columns: [{rank: knn}]\n",
            "rank knn/top1: the table has no column of that number to rank by; add {metric:",
        ),
        ("    columns: [{gain: knn}]\n", "gain knn/top1: no row says over what; give rows an 'over', or show metric"),
        (
            "    columns: [knn, knn]\n",
            "tables[0].columns: two are called 'kNN'; give one of them another title or group",
        ),
        (
            "    rows: [simclr, simclr]\n",
            "tables[0].rows: two are called 'simclr'; give one of them another title or group",
        ),
        ("    rows: [{arms: momentun}]\n", "rows[0].arms: no run has an option 'momentun'; did you mean 'momentum'?"),
        (
            "    rows: [{arms: dim}]\n",
            "tables[0].rows[0].arms: dim is 128 in every run that has it; name one that differs",
        ),
        (
            "    rows: [{method: plain, title: x}]\n",
            "rows[0].title: 3 runs fit and would all be called 'x'; leave the title",
        ),
        ("    rows: [{arms: momentum, title: x}]\n", "rows[0].title: all arms would be called 'x'; put {value} in it"),
        (
            "    rows: [{method: simclr, over: plain}]\n",
            "rows[0].over: plain has no run at the grid point of simclr; name",
        ),
        ("    rows: [{method: simclr, over: simclr}]\n", "rows[0].over: simclr is the row itself; name other runs"),
        (
            "    rows: [{method: simclr, floor: pixels}]\n",
            "give either method (a label of the study's methods) or floor",
        ),
        ("    rows: [{at: {momentum: 0.5}, arms: dim}]\n", "at is about the grid of one method; name the method"),
        (
            "    rows: [{method: simclr, tuned: true}]\n",
            "rows[0].tuned: simclr is not tuned; name it under tuning.methods",
        ),
        ("    rows: []\n", "tables[0].rows: must have at least 1 value, got 0"),
        (
            "    label: 'tab:100%'\n",
            "tables[0].label: string should match pattern '^[A-Za-z0-9:._-]+$', got 'tab:100%'",
        ),
        ("    digits: 9\n", "tables[0].digits: input should be less than or equal to 6, got 9"),
        ("    sprad: sd\n", "tables[0].sprad: paper table has no such option; did you mean 'spread'?"),
        ("  - {name: Mine, caption: again}\n", "tables[1].name: two tables are called Mine; rename one of them"),
        (
            "  - {name: results, caption: x}\n",
            "tables[1]: name: the report writes a table results into the same folder",
        ),
    ],
)
def test_a_mistake_is_told_before_anything_runs(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        planned(tmp_path, table)
    assert str(error.value).startswith(f"{tmp_path / 'study.yaml'}: ")
    assert "\n" not in str(error.value)


def test_floors_that_are_off_cannot_be_a_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\[0\].floor: the study has floors: false; leave that out"):
        planned(tmp_path, "    rows: [{floor: untrained}]\n", STUDY + "floors: false\n")


def test_options_are_listed_by_their_paths_and_values_by_size() -> None:
    run = {"method": {"momentum": 0.9, "feature_transform": {"alpha": 2.0}}, "training": {"epochs": 3}, "seed": 0}
    assert options_of(run) == ["momentum", "feature_transform.alpha", "training.epochs"]
    assert by_value(["a", "b", "c", "d"], {"a": "z", "b": 10, "c": 9.5, "d": True}) == ["c", "b", "a", "d"]
