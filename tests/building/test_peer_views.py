"""Who makes a peer's views: lightly, from whole images; ours where the study says so; and never from a stream."""

from pathlib import Path

import pytest
import torch
from source_tools import TOY, toy_source

from pipelines.building.pretraining import trainer
from pipelines.errors import InputError
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.lightly import Options
from pipelines.spec.methods.simsiam import Options as SimSiam
from pipelines.spec.training import Training
from pipelines.training.loop import Trainer
from pipelines.views.maker import ViewMaker
from pipelines.views.peer import PeerViews


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    folder = tmp_path_factory.mktemp("shards")
    build_shards(toy_source(60), TOY, folder / "shards")
    return open_shards(folder / "shards")


def made(shards: ShardSet, method: MethodOptions, out: Path | None = None, **training: object) -> Trainer:
    given = {"epochs": 1, "batch_size": 16, "precision": "float32", "lr_per_256": 0.1, **training}
    spec = PretrainSpec(
        method=method,
        encoder=ResNet(depth=10, width=8, stem="small"),
        views=method.default_views(16),
        training=Training(**given),
        dataset=TOY,
        seed=0,
    )
    return trainer(spec, shards, out)


PEER = Options(method="simsiam", hidden=16, dim=8)


def test_the_options_say_who_makes_the_views(shards):
    assert isinstance(made(shards, PEER).make_views, PeerViews)
    assert isinstance(made(shards, PEER.model_copy(update={"transforms": "ours"})).make_views, ViewMaker)
    assert isinstance(made(shards, SimSiam(hidden=16, dim=8)).make_views, ViewMaker)


def test_a_peer_meets_the_images_of_our_method_in_its_order_from_the_same_encoder(shards):
    theirs, ours = made(shards, PEER), made(shards, SimSiam(hidden=16, dim=8))
    for one, other in zip(theirs.data.epoch(0), ours.data.epoch(0), strict=True):
        assert torch.equal(one.index, other.index)
    start = ours.method.encoder.state_dict()
    assert all(torch.equal(value, start[name]) for name, value in theirs.method.encoder.state_dict().items())
    assert "final/train/loss" in theirs.fit().metrics


def test_images_too_many_to_be_resident_are_refused_before_training(shards):
    with pytest.raises(InputError, match=r"simsiam_lightly: lightly's transforms cut .* than resident_gib \(1e-06\)"):
        made(shards, PEER, resident_gib=1e-6)
    made(shards, PEER.model_copy(update={"transforms": "ours"}), resident_gib=1e-6, workers=0)
