"""The order of methods by protocol: ranks by hand, scipy's correlations, and what is left out."""

from pathlib import Path

import pytest
from report_tools import finish, planned
from scipy import stats

from pipelines.files import read_json
from pipelines.report.comparison import comparisons
from pipelines.report.sensitivity import ranks_tables
from pipelines.report.study import load_results
from pipelines.report.tables import Table

STUDY = """
question: Which is best?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 16, stem: small}
methods: [{use: simclr, label: a}, {use: byol, label: b}, {use: simsiam, label: c}, {use: vicreg, label: d}, {use: supervised}]
training: {epochs: 2, batch_size: 64}
seeds: [0]
evaluation: [{use: knn}, {use: linear}, {use: few_shot, shots: [1]}]
main: knn
"""
KNN = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}
LINEAR = {"a": 0.8, "b": 0.9, "c": 0.6, "d": 0.7}


def tables(folder: Path, few_shot: dict[str, float], linear: dict[str, float] = LINEAR) -> tuple[Table, ...]:
    plan = planned(folder, STUDY)
    given = {"knn": ("top1", KNN), "linear": ("top1", linear), "few_shot": ("1_shot", few_shot)}
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            name, values = given[job["spec"]["evaluation"]["use"]]
            if job["label"] not in KNN or job["label"] in values:
                finish(folder, job, metrics={f"test/{name}": values.get(job["label"], 0.99)})
    return ranks_tables(comparisons(load_results(plan, folder)), "caption")


def texts(table: Table) -> dict[str, list[str]]:
    return {row[0].text: [entry.text for entry in row[1:]] for row in table.rows}


def test_ranks_by_hand_and_neither_floors_nor_what_saw_labels_among_them(tmp_path: Path) -> None:
    ranks, _ = tables(tmp_path, KNN | {"d": 0.7})
    assert ranks.header[1:] == ("kNN (k 20)", "linear probe", "few-shot, 1 shot", "mean rank", "lowest to highest")
    assert texts(ranks) == {
        "a": ["1", "2", "1", "1.3", "1 to 2"],
        "b": ["2", "1", "2", "1.7", "1 to 2"],
        "d": ["4", "3", "3.5", "3.5", "3 to 4"],
        "c": ["3", "4", "3.5", "3.5", "3 to 4"],
    }
    assert [row[0].text for row in ranks.rows][:2] == ["a", "b"]


def test_correlations_are_scipys(tmp_path: Path) -> None:
    _, found = tables(tmp_path, KNN)
    assert (found.header, list(texts(found))) == (
        ("protocol", "kNN (k 20)", "linear probe"),
        ["linear probe", "few-shot, 1 shot"],
    )
    tau = stats.kendalltau(list(KNN.values()), list(LINEAR.values())).statistic
    rho = stats.spearmanr(list(KNN.values()), list(LINEAR.values())).statistic
    assert (found.rows[0][1].text, found.rows[0][1].detail) == (f"{tau:.2f}", f"rho {rho:.2f}, 4 methods")
    assert (tau, found.rows[1][1].text) == (pytest.approx(1 / 3), "1.00")


def test_a_method_without_a_protocol_has_no_mean_rank_and_leaves_the_others_theirs(tmp_path: Path) -> None:
    ranks, found = tables(tmp_path, {name: value for name, value in KNN.items() if name != "b"})
    assert texts(ranks)["b"] == ["2", "1", "–", "–", "1 to 2"]
    assert texts(ranks)["c"][:3] == ["3", "4", "2"]
    assert found.rows[1][1].detail == "rho 1.00, 3 methods"


def test_with_fewer_than_two_protocols_or_three_methods_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert tables(tmp_path, {"a": 0.5}, {"a": 0.5, "b": 0.5}) == ()
