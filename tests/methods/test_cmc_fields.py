"""CMC on a data set of two image fields a sample, from tars to training steps."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from source_tools import encoded

from pipelines.encoders import build_encoder
from pipelines.methods import build
from pipelines.methods.base import DataFacts
from pipelines.sources.arrays import resident
from pipelines.sources.base import open_source
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.datasets.webdataset import Options as WebDataset
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.methods.cmc import Options
from pipelines.spec.training import Training
from pipelines.training.loop import Trainer
from pipelines.views.crops import cutter
from pipelines.views.maker import ViewMaker

SIDE, COUNT = 16, 40
DEVICE = torch.device("cpu")


def write_tar(path: Path) -> None:
    """Coloured discs on a slope; depth is the slope with the disc nearer."""
    down, right = np.mgrid[:SIDE, :SIDE]
    source = np.random.default_rng(0)
    with tarfile.open(path, "w") as archive:
        for number in range(COUNT):
            centre, colour, label = source.integers(4, 12, 2), source.integers(60, 256, 3), number % 2
            disc = (down - centre[0]) ** 2 + (right - centre[1]) ** 2 < (9 if label else 25)
            image = np.where(disc[..., None], colour, 30).astype(np.uint8)
            depth = (8 * down + 100 * disc).astype(np.uint8)
            members = {"png": encoded(image), "depth.png": encoded(depth), "cls": str(label).encode()}
            for extension, data in members.items():
                info = tarfile.TarInfo(f"{number:03d}.{extension}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    folder = tmp_path_factory.mktemp("rgbd")
    write_tar(folder / "train.tar")
    options = WebDataset(name="rgbd", train=str(folder / "train.tar"), fields=("depth.png",), holdout=0.0)
    build_shards(open_source(options), options, folder / "shards")
    return open_shards(folder / "shards")


def trained(shards: ShardSet, options: Options, way: str) -> tuple[Trainer, dict[str, torch.Tensor]]:
    """Two epochs; the trainer and the weights before."""
    recipe = options.default_views(SIDE)
    order = Order(batch_size=8, seed=0)
    if way == "resident":
        data: Resident | Streaming = Resident(resident(shards, "train"), order)
    else:
        data = Streaming(shards, order, cut=cutter(recipe, SIDE), workers=0)
    facts = DataFacts(data.num_samples, 2, SIDE)
    torch.manual_seed(0)
    spec = ResNet(depth=10, width=4, stem="small")
    method = build(options, lambda in_channels=3: build_encoder(spec, SIDE, in_channels), facts)
    maker = ViewMaker(recipe, SIDE, shards.index.mean, shards.index.std)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    training = Training(epochs=2, batch_size=8, precision="float32", monitor_steps=1, lr_per_256=0.3)
    trainer = Trainer(method, data, maker, training, 0, DEVICE)
    trainer.fit()
    return trainer, before


@pytest.mark.parametrize(("split", "pairs", "views"), [("lab", "core", 3), ("none", "full", 2)])
def test_image_and_depth_train_together_and_the_image_alone_is_evaluated(shards, split, pairs, views):
    options = Options(split=split, fields={"depth": 1}, pairs=pairs, dim=8, num_negatives=16)
    trainer, before = trained(shards, options, "resident")
    method, after = trainer.method, trainer.method.state_dict()
    assert len(method.banks) == views
    for part in ("encoder.", "field_encoders.0.", *(f"banks.{view}." for view in range(views))):
        assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith(part)), part
    assert all(value.isfinite().all() for value in after.values() if value.is_floating_point())
    method.eval()
    assert method.encoder(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, method.encoder.width)


def test_streaming_gives_the_same_training_as_resident(shards):
    """The recipe takes whole images, and nothing is drawn while cutting them."""
    options = Options(fields={"depth": 1}, dim=8, num_negatives=16)
    one, other = (trained(shards, options, way)[0].method.state_dict() for way in ("resident", "streaming"))
    for name in one:
        torch.testing.assert_close(one[name], other[name])
