"""Several views of a training image as features: whose views they are, and what a record tells of them."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from source_tools import TOY, noise
from study_tools import Made

from pipelines.building import view_features as module
from pipelines.building.features import EvaluatedEncoder
from pipelines.building.images import Wanted
from pipelines.building.view_features import crops_and_flips, first_kind, view_features
from pipelines.evaluation.diagnostics import diagnose_views
from pipelines.sources.base import Source, array_split
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.views import Augmentation, Views

CPU = torch.device("cpu")
UNCHANGED = Augmentation(scale=(1, 1), ratio=(1, 1), flip=0, jitter_prob=0, grayscale=0, blur=0)
STUDY = """
question: q
datasets: [{use: digits, limit: 100}]
encoder: {use: vit, size: micro, patch: 4}
methods: [{use: simclr, label: simclr}]
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3, views: 3}]
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> ShardSet:
    label = np.arange(40) % 2
    train, test = (
        array_split("train", noise(40, 6, 6, 3), label),
        array_split("test", noise(4, 6, 6, 3, seed=1), label[:4]),
    )
    source = Source(("a", "b"), train=train, test=test)
    folder = tmp_path_factory.mktemp("views") / "shards"
    build_shards(source, TOY, folder)
    return open_shards(folder)


def of_pixels(shards: ShardSet, kind: Augmentation, seed: int = 0) -> torch.Tensor:
    source = EvaluatedEncoder(None, Wanted.of(shards))
    return view_features(source, first_kind(Views(augmentations=(kind,)), 3), shards, seed, CPU)


def test_views_that_change_nothing_align_and_those_of_a_seed_come_again(shards):
    same = of_pixels(shards, UNCHANGED)
    assert same.shape == (40, 3, 6 * 6 * 3)
    assert diagnose_views(same)["alignment"] == pytest.approx(0, abs=1e-9)
    flipped = UNCHANGED.model_copy(update={"flip": 0.5})
    found = of_pixels(shards, flipped)
    assert diagnose_views(found)["alignment"] > 0.1
    assert torch.equal(found, of_pixels(shards, flipped))
    assert not torch.equal(found, of_pixels(shards, flipped, seed=1))
    mirror = same.unflatten(2, (3, 6, 6)).flip(4).flatten(2)
    either = torch.minimum((found - same).abs().amax(2), (found - mirror).abs().amax(2))
    assert either.max() < 1e-5, "row i of every view is image i, as it is or flipped"


def test_at_most_so_many_images_are_taken_evenly(shards, monkeypatch):
    whole = of_pixels(shards, UNCHANGED)
    monkeypatch.setattr(module, "MOST_ROWS", 15)
    torch.testing.assert_close(of_pixels(shards, UNCHANGED), whole[::3])


def test_own_views_are_those_of_the_first_kind_and_others_only_crops_and_flips():
    recipe = Views(augmentations=(Augmentation(size=8, solarize=0.5, colour="lab"), Augmentation(count=4, size=4)))
    assert first_kind(recipe, 5).kinds == (recipe.kinds[0].model_copy(update={"count": 5}),) * 5
    mild = crops_and_flips(recipe, 2).kinds[0]
    assert (mild.size, mild.colour, mild.scale, mild.flip) == (8, "lab", (0.08, 1.0), 0.5)
    assert (mild.jitter_prob, mild.grayscale, mild.blur, mild.solarize) == (0, 0, 0, 0)


def test_the_default_changes_no_key_and_one_view_is_refused():
    assert "views" not in Knn().model_dump()
    with pytest.raises(ValidationError, match="one view of an image has nothing to agree with"):
        Knn(views=1)


def test_a_record_tells_of_views_and_whose_they_are(tmp_path):
    made = Made.of(STUDY, tmp_path)
    made.run(*made.plan.of("pretrain"), *made.plan.of("evaluate"))
    told = {}
    for job in made.plan.of("evaluate"):
        derived = made.record(job)["derived"]
        assert derived["features/views"] == 3
        assert 0 < derived["features/alignment"] <= 4
        assert 1 <= derived["features/lidar"] <= 99
        told[made.plan.names["evaluate", job.key].label] = derived["features/views_by"]
    assert told.pop("simclr") == "pretraining"
    assert set(told.values()) == {"crops and flips"}
