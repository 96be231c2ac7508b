"""Shards that were just packed are asked whether they hold enough, for every study whose plan can be read."""

import pytest

from pipelines.errors import InputError
from pipelines.spec.contents import Contents
from pipelines.spec.counts import Counts
from pipelines.spec.enough import check_packed
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs

STUDY = """
question: q
dataset: {{use: digits, limit: 300}}
encoder: {{use: resnet, depth: 10, width: 4}}
methods: [{{use: simclr, label: m}}]
seeds: [0]
training: {{epochs: 1, batch_size: 64}}
evaluation: [{{use: few_shot, ways: 2, shots: [{shots}], queries: 1, draws: 3}}]
floors: false
"""
FEW = Contents(8, 2, 4, Counts((4, 4), (1, 1), (2, 2)), {})
"""Two images a class in test, of which five shots cannot be drawn."""


@pytest.fixture
def plans(tmp_path):
    """Two studies of the same shards in one folder of results: one shot each, and five."""

    def planned(name: str, shots: int) -> Plan:
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(shots=shots))
        made = plan_file(tmp_path / f"{name}.yaml")
        write_specs(made, tmp_path / "results")
        return made

    return {name: planned(name, shots) for name, shots in (("modest", 1), ("greedy", 5))}


def check(plans, tmp_path):
    keys = {plan.of("shards")[0].key for plan in plans.values()}
    assert len(keys) == 1
    check_packed(keys.pop(), FEW, tmp_path / "results")


def test_every_study_of_the_shards_is_asked(plans, tmp_path):
    with pytest.raises(InputError, match=r"study greedy, data set digits-300: evaluation.few_shot.ways"):
        check(plans, tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-40], lambda text: text.replace('"few_shot"', '"few_shoot"'), lambda _: ""]
)
def test_a_damaged_plan_is_left_out_with_a_warning(plans, tmp_path, capsys, damage):
    plan = tmp_path / "results" / "greedy" / "plan.json"
    plan.write_text(damage(plan.read_text()))
    check(plans, tmp_path)
    warned = capsys.readouterr().err
    assert warned.count("warning: study greedy: whether") == 1
    assert "plan STUDY --write" in warned
    assert "modest" not in warned


def test_beside_a_damaged_plan_the_others_are_asked(plans, tmp_path):
    (tmp_path / "results" / "modest" / "plan.json").write_text("{")
    with pytest.raises(InputError, match="study greedy"):
        check(plans, tmp_path)
