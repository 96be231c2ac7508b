"""What a plan costs before anything of it is done: disk by figures of its own, time by the records of any study."""

from pathlib import Path

import pytest
import torch
from report_tools import finish, planned

from pipelines.cli import main
from pipelines.encoders import build_encoder
from pipelines.files import read_json
from pipelines.spec.cost import size
from pipelines.spec.disk import HELD, image_bytes, left_bytes, parameters, weight_bytes
from pipelines.spec.earlier import earlier
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.price import ASSUMED, Prices
from pipelines.spec.resources import PACKED

STUDY = """
question: What does it cost?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr}]
training: {epochs: 2, batch_size: 32, keep_epochs: [1]}
seeds: [0]
floors: false
evaluation: [{use: knn}]
"""


def written(folder: Path, name: str, text: str = STUDY) -> Plan:
    """A study's plan, with its specs in the results folder of that name's parent."""
    (folder / f"{name}.yaml").write_text(text)
    return plan_file(folder / f"{name}.yaml")


@pytest.mark.parametrize(
    "options", [ResNet(depth=10, width=16), ResNet(depth=18), ResNet(depth=50), ResNet(depth=101), ViT(size="base")]
)
def test_the_weights_of_an_encoder_take_what_its_network_has(options):
    with torch.device("meta"):
        network = build_encoder(options, 224)
    assert parameters(options) == pytest.approx(sum(each.numel() for each in network.parameters()), rel=0.02)


def test_a_training_leaves_its_weights_and_a_checkpoint_an_epoch_that_is_kept(tmp_path):
    spec = written(tmp_path, "one").of("pretrain")[0].spec
    assert left_bytes(spec, None) == (1 + HELD) * weight_bytes(spec)


@pytest.mark.parametrize(("dataset", "measured"), [("digits", 2_051), ("mnist_5k", 2_052)])
def test_small_images_take_what_was_measured_and_at_most_their_pixels_more(tmp_path, dataset, measured):
    spec = (
        written(tmp_path, "one", STUDY.replace("use: digits, image_size: 16", f"use: {dataset}")).of("shards")[0].spec
    )
    assert measured - 10 <= image_bytes(spec) <= measured + 3 * 28**2


def test_shards_of_any_number_of_images_have_their_own_price(tmp_path):
    known = written(tmp_path, "one").of("shards")[0].spec
    few, large = (
        known.model_copy(update={"dataset": known.dataset.model_copy(update={"limit": n})}) for n in (100, 1400)
    )
    prices = Prices([])
    assert prices.price(few).seconds == ASSUMED
    assert prices.price(large).seconds == pytest.approx(PACKED * 1400)
    assert prices.bytes(large)[0] == pytest.approx(14 * prices.bytes(few)[0])


def test_records_of_every_study_teach(tmp_path, capsys):
    planned(tmp_path, STUDY)
    first = plan_file(tmp_path / "study.yaml")
    for job in read_json(tmp_path / "study" / "plan.json")["jobs"]:
        finish(tmp_path, job, seconds=30.0)
    other = written(tmp_path, "other", STUDY.replace("epochs: 2", "epochs: 4"))
    assert len(list(earlier(tmp_path, other.jobs))) == len(first.jobs.keys() - other.jobs.keys())
    assert main(["plan", str(tmp_path / "other.yaml"), "--results", str(tmp_path), "--cost"]) == 0
    told = capsys.readouterr().out
    assert "# pretrain: 1 job to do: 1 min 00 s scaled; on disk: " in told
    damaged = next((tmp_path / "jobs" / "pretrain").glob("*/record.json"))
    damaged.write_text("{")
    assert not [record for _, record in earlier(tmp_path, other.jobs) if record.stage == "pretrain"]


def test_beyond_a_thousand_hours_of_a_core_those_of_a_gpu_come_first(tmp_path, capsys):
    written(tmp_path, "long", STUDY.replace("epochs: 2,", "epochs: 40000000,"))
    assert main(["plan", str(tmp_path / "long.yaml"), "--results", str(tmp_path), "--cost"]) == 0
    told = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("# all: "))
    assert told.startswith("# all: training alone ")
    assert ", one job after the other" in told
    assert "," in told.partition("without a GPU ")[2].partition(" h ")[0]


def test_sizes_are_told_in_words():
    assert (size(12.34e6), size(1203.4e9)) == ("12.3 MB", "1,203.4 GB")
