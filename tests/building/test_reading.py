"""Which way training reads its images: what fits in memory is resident, and sequential reading comes by name only."""

from pathlib import Path

import pytest
from source_tools import TOY, toy_source

from pipelines.building.pretraining import trainer
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.simclr import Options as SimCLR
from pipelines.spec.reading import ALLOW_PIPE, Reading
from pipelines.spec.training import Training


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_shards(toy_source(43), TOY, tmp_path / "shards")
    return tmp_path / "shards"


def fitted(folder: Path, **settings: object) -> dict:
    """What a pretraining of one epoch derives."""
    training = Training(epochs=1, batch_size=8, warmup_epochs=0.0, workers=0, precision="float32", **settings)
    method = SimCLR(dim=8)
    spec = PretrainSpec(
        method=method, encoder=ResNet(depth=10, width=8, stem="small"), views=method.default_views(8), training=training,
        dataset=TOY, seed=0,
    )  # fmt: skip
    return trainer(spec, open_shards(folder), None).fit().derived


@pytest.mark.parametrize(
    ("settings", "reading"),
    [
        ({}, "resident"),
        ({"resident_gib": 1e-9}, "random"),
        ({"data": "streaming"}, "random"),
        ({"reading": Reading(order="sequential", buffer=4)}, "sequential, 8 streams, buffer 4"),
        ({"data": "streaming", "reading": Reading(order="sequential")}, "sequential, 8 streams, buffer 100"),
    ],
)
def test_the_way_that_was_taken_stands_among_what_is_recorded(folder: Path, settings: dict, reading: str) -> None:
    assert fitted(folder, **settings)["reading"] == reading


def test_a_job_from_another_machine_runs_no_command_that_is_not_allowed_here(folder: Path, monkeypatch) -> None:
    monkeypatch.delenv(ALLOW_PIPE, raising=False)
    with pytest.raises(ValueError, match=ALLOW_PIPE):
        fitted(folder, reading=Reading(order="sequential", address=f"pipe:cat {folder}/{{name}}"))
