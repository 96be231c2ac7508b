"""The views in the picture are those of the first training step, bit for bit, whatever their colours and pieces."""

import pytest
import torch
from source_tools import TOY, toy_source
from trainer_tools import small_options

from pipelines.building import views_seen
from pipelines.building.pretraining import trainer
from pipelines.building.views_seen import as_image, colours, write_views
from pipelines.contact_sheet import Sheet
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.parse import parse
from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.training.step import Stepper


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "shards"
    build_shards(toy_source(), TOY, folder)
    return open_shards(folder)


def test_the_picture_shows_what_the_first_step_trains_on(shards, tmp_path, monkeypatch):
    given = {
        "method": small_options("moco", queue_size=16).model_dump(mode="json"),
        "encoder": {"use": "resnet", "depth": 10, "width": 8, "stem": "small"},
        "views": {}, "training": {"epochs": 1, "batch_size": 8}, "dataset": {"use": "digits"}, "seed": 3,
    }  # fmt: skip
    spec, drawn, seen = parse(PretrainSpec, given, "test: "), [], []
    made = trainer(spec, shards, None)
    monkeypatch.setattr(Stepper, "__call__", lambda step, views, batch, number: drawn.append(views) or 1 / 0)
    with pytest.raises(ZeroDivisionError):  # stops the training before its first step
        made.fit()
    monkeypatch.setattr(views_seen, "as_image", lambda view, *rest: seen.append(view) or as_image(view, *rest))
    found = write_views(made, spec.views, shards, tmp_path)
    assert len(seen) == 2
    assert all(torch.equal(shown, view[: len(shown)]) for shown, view in zip(seen, drawn[0]))
    sheet = Sheet.load(tmp_path / found["views_about"])
    assert sheet.columns == ("image", "view 1", "view 2")
    assert len(sheet.tips) == len(seen[0])


def test_every_view_of_a_recipe_has_its_colour():
    recipe = Views(
        augmentations=(Augmentation(count=2), Augmentation(count=1, colour="lab")),
        jigsaw=Jigsaw(grid=2, cell=8, patch=6),
    )
    assert colours(recipe) == ["rgb", "rgb", "lab", "rgb"]


def test_pieces_are_put_together_in_their_order():
    pieces = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 2, 2)
    found = as_image(pieces, "rgb", (0.0,), (1.0,))
    assert found[0, 0, ::2, ::2].tolist() == [[0, 1], [2, 3]]
