"""What a run is: defaults that fit its length, and what was written down untouched."""

import pytest

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.grid import points
from pipelines.spec.load import load_study
from pipelines.spec.methods import names, options_class
from pipelines.spec.resolve import Run, resolve
from pipelines.spec.training import Training
from pipelines.spec.view_changes import changed
from pipelines.spec.views import Views


class Sized(DataSet):
    """A data set of a known number of images, none held out."""

    images: int
    holdout: float = 0.0

    @property
    def published_train_images(self) -> int:
        return self.images


STUDY = """
question: q
dataset: {{use: imagefolder, name: mine, folder: x, image_size: 32}}
encoder: {{use: {encoder}}}
methods: [{{{method}}}]
seeds: [0]
training: {{{training}}}
evaluation: [{{use: knn}}]
{more}
"""


def runs(folder, method: str, training: str = "", more: str = "", encoder: str = "resnet, stem: small") -> list[Run]:
    """The resolved runs of a study with one method."""
    path = folder / "x.yaml"
    path.write_text(STUDY.format(method=method, training=training, more=more, encoder=encoder))
    study = load_study(path)
    entry, (data,) = study.methods[0], study.all_datasets
    return [resolve(study, entry, point, data) for point in points(study, entry, data)]


def encoder_of(name: str) -> str:
    """An encoder that the method takes: a residual network, where that will not do a transformer."""
    try:
        options_class(name)().check(Training(), ResNet(), None)
    except ValueError:
        return "vit, size: micro, patch: 4"
    return "resnet, stem: small"


@pytest.mark.parametrize("epochs", [1, 3, 10, 50, 200, 1000])
@pytest.mark.parametrize("name", names())
def test_a_default_warm_up_takes_at_most_a_tenth_of_any_run(tmp_path, name, epochs):
    (run,) = runs(tmp_path, f"use: {name}", f"epochs: {epochs}", encoder=encoder_of(name))
    default = options_class(name)().default_training().get("warmup_epochs", 0.0)
    assert run.training.warmup_epochs == pytest.approx(min(default, epochs / 10))


@pytest.mark.parametrize("name", [name for name in names() if options_class(name)().epoch_shares])
def test_other_defaults_in_epochs_keep_to_their_share_of_the_run(tmp_path, name):
    options = {"swav": "use: swav, queue_size: 512", "dino": "use: dino, teacher_temperature_start: 0.03"}[name]
    for epochs in (1, 3, 12, 200):
        (run,) = runs(tmp_path, options, f"epochs: {epochs}")
        for field, share in run.method.epoch_shares.items():
            default = options_class(name).model_fields[field].default
            assert getattr(run.method, field) <= max(share * epochs, isinstance(default, int)) + 1e-9
            assert epochs < 200 or getattr(run.method, field) == default


@pytest.mark.parametrize(
    ("method", "training", "more", "warm_up"),
    [
        ("use: simclr", "epochs: 20, warmup_epochs: 15", "", 15.0),
        ("use: simclr, training: {warmup_epochs: 15}", "epochs: 20", "", 15.0),
        ("use: simclr", "epochs: 20", "grid: {training.warmup_epochs: [15]}", 15.0),
        ("recipe: simclr/cifar, training: {epochs: 20}", "", "", 10.0),  # what the recipe says is given
    ],
)
def test_a_warm_up_that_was_given_stays(tmp_path, method, training, more, warm_up):
    assert [run.training.warmup_epochs for run in runs(tmp_path, method, training, more)] == [warm_up]


def test_options_in_epochs_that_were_given_stay(tmp_path):
    for given, more in (("frozen_epochs: 2", ""), ("prototypes: 9", "grid: {frozen_epochs: [2]}")):
        (run,) = runs(tmp_path, f"use: swav, {given}", "epochs: 3", more)
        assert run.method.frozen_epochs == 2.0


def test_a_warm_up_that_was_given_and_is_too_long_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"warmup_epochs \(20\) must be fewer than epochs \(20\); shorten the warm-up"):
        runs(tmp_path, "use: simclr", "epochs: 20, warmup_epochs: 20")


def test_a_grid_over_epochs_has_a_warm_up_for_each(tmp_path):
    found = runs(tmp_path, "use: simclr", more="grid: {training.epochs: [3, 30, 300]}")
    assert [run.training.warmup_epochs for run in found] == [0.3, 3.0, 10.0]


@pytest.mark.parametrize("optimizer", ["sgd", "lars", "larc", "adam", "adamw"])
@pytest.mark.parametrize("name", names())
def test_every_method_trains_with_every_optimizer_a_study_asks_for(tmp_path, name, optimizer):
    (run,) = runs(tmp_path, f"use: {name}", f"optimizer: {optimizer}", encoder=encoder_of(name))
    assert run.training.optimizer == optimizer
    assert run.training.lars_lr_in_buffer == (
        name in ("simclr", "lightly", "stable_pretraining") and optimizer == "lars"
    )


def test_a_switch_of_another_optimizer_that_was_given_is_refused(tmp_path):
    with pytest.raises(InputError, match="lars_lr_in_buffer belongs to optimizer lars, not to sgd; leave it out"):
        runs(tmp_path, "use: simclr", "optimizer: sgd, lars_lr_in_buffer: true")


RECIPES = """
paper: p
tiny:
  source: s
  method: {use: moco, queue_size: 512}
  training: {epochs: 12, batch_size: 64, lr_per_256: 0.2, weight_decay: 0.01}
  encoder: {use: resnet, depth: 10, stem: small}
  views: {flip: 0.5, blur: 0.0}
vit:
  source: s
  method: {use: moco, queue_size: 512}
  encoder: {use: vit, size: micro, patch: 4}
"""


@pytest.fixture
def recipe(tmp_path):
    """A folder with a recipe of its own beside the study."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mine.yaml").write_text(RECIPES)
    return tmp_path


def test_the_study_lies_over_a_recipe_the_entry_over_both_and_the_grid_over_all(recipe):
    method = "recipe: mine/tiny, training: {weight_decay: 0.03, lr_per_256: 0.4}"
    study = "epochs: 3, batch_size: 32, weight_decay: 0.02"
    (run,) = runs(recipe, method, study, "grid: {training.lr_per_256: [0.5]}", "resnet, depth: 10, stem: small")
    training = run.training
    assert (training.epochs, training.batch_size, training.weight_decay) == (3, 32, 0.03)
    assert training.lr_per_256 == 0.5
    assert run.notes == (
        "epochs 3 (study) instead of 12 (recipe mine/tiny)",
        "batch_size 32 (study) instead of 64 (recipe mine/tiny)",
        "lr_per_256 0.5 (grid) instead of 0.2 (recipe mine/tiny), 0.4 (method entry)",
        "weight_decay 0.03 (method entry) instead of 0.01 (recipe mine/tiny), 0.02 (study)",
    )


def test_the_study_s_views_lie_over_a_recipe_s(recipe):
    (run,) = runs(recipe, "recipe: mine/tiny, views: {blur: 0.1}", more="views: {flip: 0.0}")
    assert {(kind.flip, kind.blur) for kind in run.views.kinds} == {(0.0, 0.1)}
    assert "views.flip 0.0 (study) instead of 0.5 (recipe mine/tiny)" in run.notes
    assert "views.blur 0.1 (method entry) instead of 0.0 (recipe mine/tiny)" in run.notes


def test_a_recipe_s_encoder_stands_and_is_told(recipe):
    (run,) = runs(recipe, "recipe: mine/tiny", encoder="resnet, stem: small")
    assert run.encoder.depth == 10
    assert run.notes == ("encoder.depth 10 (recipe mine/tiny) instead of 18 (study)",)
    (run,) = runs(recipe, "recipe: mine/vit", encoder="resnet, stem: small")
    assert run.notes == ("encoder vit_micro4 (recipe mine/vit) instead of resnet18 (study)",)
    (run,) = runs(recipe, "recipe: mine/vit, encoder: {use: resnet, depth: 34}")
    assert run.notes[0] == "encoder.depth 34 (method entry) instead of 18 (study)"


def test_what_agrees_is_not_told_and_notes_are_no_part_of_the_run(recipe):
    (plain,) = runs(recipe, "recipe: mine/tiny", "epochs: 12", encoder="resnet, depth: 10, stem: small")
    (told,) = runs(
        recipe, "recipe: mine/tiny, training: {epochs: 12}", "epochs: 5", encoder="resnet, depth: 10, stem: small"
    )
    assert plain.notes == ()
    assert told.notes == ("epochs 12 (method entry) instead of 5 (study)",)
    assert plain.pretraining(0) == told.pretraining(0)


def test_a_mistake_in_a_recipe_names_the_recipe_s_file(recipe):
    file = recipe / "recipes" / "mine.yaml"
    file.write_text(RECIPES.replace("weight_decay", "weight_decya"))
    with pytest.raises(InputError) as error:
        runs(recipe, "recipe: mine/tiny")
    text = f"{file}: tiny.training.weight_decya: training has no such option; did you mean 'weight_decay'?"
    assert str(error.value) == text


def test_dino_s_own_option_called_recipe_can_be_given(tmp_path):
    (run,) = runs(tmp_path, "use: dino, recipe: convnet")
    assert (run.method.recipe, run.training.optimizer) == ("convnet", "sgd")
    (run,) = runs(tmp_path, "recipe: dino/small")
    assert run.method.recipe == "vit"


@pytest.mark.parametrize("name", names())
def test_a_batch_of_one_image_is_refused_for_every_method(tmp_path, name):
    with pytest.raises(InputError, match=r"batch_size 1 leaves batch norm and every contrast without a second image"):
        runs(tmp_path, f"use: {name}", "batch_size: 1", encoder=encoder_of(name))
    assert runs(tmp_path, f"use: {name}", "batch_size: 2", encoder=encoder_of(name))


def test_two_images_at_least_stay_to_each_group_of_split_batch_norm(tmp_path):
    with pytest.raises(
        InputError, match="bn_splits 8 leaves one image of batch_size 8 to each batch norm; use at most 4"
    ):
        runs(tmp_path, "use: moco, bn_splits: 8", "batch_size: 8")
    assert runs(tmp_path, "use: moco, bn_splits: 8", "batch_size: 16")


def test_a_batch_larger_than_the_images_is_refused(tmp_path):
    runs(tmp_path, "use: simclr", "batch_size: 1024")
    study = load_study(tmp_path / "x.yaml")
    assert resolve(study, study.methods[0], {}, Sized(images=1024))
    with pytest.raises(
        InputError, match="batch_size 1024 is more than the 1023 images to train on; choose a smaller one"
    ):
        resolve(study, study.methods[0], {}, Sized(images=1023))


def test_one_size_for_all_views_and_never_for_multi_crop():
    assert [kind.size for kind in changed(Views(), {"size": 64}).kinds] == [64, 64]
    with pytest.raises(InputError, match=r"views\.size: the recipe has views of several sizes"):
        changed(options_class("swav")().default_views(32), {"size": 64})
