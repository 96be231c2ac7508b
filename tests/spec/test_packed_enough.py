"""Shards that were just packed are asked whether they hold enough, for every study whose plan can be read."""

import pytest
from PIL import Image

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.spec.contents import Contents, packed_contents
from pipelines.spec.counts import Counts
from pipelines.spec.enough import check_enough, check_packed, contents_of
from pipelines.spec.layout import index_file
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs

STUDY = """
question: q
dataset: {{use: digits, limit: 300}}
encoder: {{use: resnet, depth: 10, width: 4}}
methods: [{{use: simclr, label: m}}]
seeds: [0]
training: {{epochs: 1, batch_size: 4}}
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
    "damage",
    [lambda text: text[:-40], lambda text: text.replace('"few_shot"', '"few_shoot"'), lambda _: "", lambda _: "{}"],
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


@pytest.mark.parametrize("more", ["", ", limit: 333, holdout: 0.2", ", holdout_most: 20"])
def test_what_a_published_data_set_holds_is_told_before_it_is_packed(tmp_path, more):
    text = STUDY.format(shots=1).replace(", limit: 300", more)
    (tmp_path / "study.yaml").write_text(text)
    made, results = plan_file(tmp_path / "study.yaml"), tmp_path / "results"
    write_specs(made, results)
    (shards,) = made.of("shards")
    (told,) = contents_of(made, results).values()
    assert main(["shards", "--job", str(shards.folder(results))]) == 0
    found = packed_contents(index_file(results, shards.key))
    for name in ("train", "held", "test"):
        assert getattr(told, name) == getattr(found, name)
        assert getattr(told.counts, name) == getattr(found.counts, name)


@pytest.mark.parametrize(
    ("data", "evaluation", "message"),
    [
        ("use: digits, limit: 20", "use: knn, k: 200", "knn"),
        ("use: digits, holdout: 0.0", "use: linear", "nothing is held out to choose on"),
        ("use: cifar10, holdout: 0.0", "use: linear", "nothing is held out to choose on"),
    ],
)
def test_too_few_images_of_a_published_data_set_are_refused_at_planning(tmp_path, data, evaluation, message):
    (tmp_path / "few.yaml").write_text(
        f"question: q\ndataset: {{{data}}}\nencoder: {{use: resnet, depth: 18, width: 8}}\nmethods: [{{use: simclr}}]\n"
        f"seeds: [0]\ntraining: {{epochs: 1, batch_size: 16}}\nevaluation: [{{{evaluation}}}]\n"
    )
    made = plan_file(tmp_path / "few.yaml")
    with pytest.raises(InputError, match=message):
        check_enough(made, contents_of(made, tmp_path / "results"), tmp_path / "results")


@pytest.mark.parametrize(
    ("method", "batch", "message"),
    [
        ("use: moco, queue_size: 64", 16, "moco: queue_size 64 must be smaller than the 54 images trained on"),
        ("use: simclr", 64, "simclr: batch_size 64 is more than the 54 images to train on"),
    ],
)
def test_too_few_own_images_for_a_training_are_refused_at_planning(tmp_path, method, batch, message):
    for split, count in (("train", 30), ("test", 4)):
        for name in ("a", "b"):
            folder = tmp_path / "own" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.png")
    (tmp_path / "own.yaml").write_text(
        f"question: q\ndataset: {{use: imagefolder, name: own, folder: {tmp_path / 'own'}, image_size: 8}}\n"
        f"encoder: {{use: resnet, depth: 10, width: 4}}\nmethods: [{{{method}}}]\nseeds: [0]\n"
        f"training: {{epochs: 1, batch_size: {batch}}}\nevaluation: [{{use: few_shot, ways: 2, shots: [1], queries: 1}}]\n"
    )
    made = plan_file(tmp_path / "own.yaml")
    with pytest.raises(InputError, match=message):
        check_enough(made, contents_of(made, tmp_path / "results"), tmp_path / "results")
