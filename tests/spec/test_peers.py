"""The studies of peers: a row of another library's differs from ours by who wrote the method, by no setting."""

import pytest

from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.load import load_study
from pipelines.spec.made_by import code_of
from pipelines.spec.methods.lightly import USES as OF_LIGHTLY
from pipelines.spec.methods.stable_pretraining import USES as OF_STABLE_PRETRAINING
from pipelines.spec.methods.stable_pretraining import Options
from pipelines.spec.plan import plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.resolve import Run, resolve
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.statistics.paired import pairs_needed

USES = {"lightly": OF_LIGHTLY, "stable_pretraining": OF_STABLE_PRETRAINING}
FILES = {f"{package}{ending}": package for package in USES for ending in ("", "_fashion_mnist")}
PLANS = {file: plan(load_study(RECIPES.parent / "peers" / f"{file}.yaml")) for file in FILES}
PAIRS = [(file, name) for file, package in FILES.items() for name in USES[package]]
SCALED = {("stable_pretraining", "byol"): 2}
"""Pairs whose losses differ by a factor, which the rate undoes."""


def run_of(file: str, label: str) -> Run:
    study = PLANS[file].study
    (entry,) = [entry for entry in study.methods if entry.label == label]
    return resolve(study, entry, {}, study.all_datasets[0])


@pytest.mark.parametrize(("file", "name"), PAIRS)
def test_pairs_share_training_encoder_data_and_recipe(file, name):
    package = FILES[file]
    ours, theirs = run_of(file, name), run_of(file, f"{name}_{package}")
    resizing = theirs.method.of_transforms.resizing
    resized = {"interpolation": resizing} if resizing else {}
    assert list(theirs.views.augmentations) == [kind.model_copy(update=resized) for kind in ours.views.augmentations]
    assert (theirs.encoder, theirs.dataset) == (ours.encoder, ours.dataset)
    assert undone(theirs.training, SCALED.get((package, name), 1)) == ours.training


def undone(training: Training, factor: float) -> Training:
    """What a loss ``factor`` times as large would have: a step of SGD is rate x (gradient + decay x weight)."""
    assert factor == 1 or training.optimizer == "sgd"
    rate, decay = training.lr_per_256 / factor, training.weight_decay * factor
    return training.model_copy(update={"lr_per_256": rate, "weight_decay": decay})


@pytest.mark.parametrize(("file", "name"), PAIRS)
def test_pairs_have_the_same_options(file, name):
    package = FILES[file]
    ours, theirs = run_of(file, name).method, run_of(file, f"{name}_{package}").method
    for option in set(USES[package][name]) & set(type(ours).model_fields):
        halved = (name, option) == ("vicreg", "variance")  # the weight of a mean, where ours is of a sum
        assert (theirs.variance / 2 if halved else getattr(theirs, option)) == getattr(ours, option), option


@pytest.mark.parametrize("file", [file for file, package in FILES.items() if package == "lightly"])
def test_the_rate_of_the_fourfold_row_undoes_the_smaller_loss(file):
    plain, fourfold = run_of(file, "byol_lightly").training, run_of(file, "byol_lightly_x4").training
    assert undone(fourfold, 4).lr_per_256 == pytest.approx(plain.lr_per_256)
    assert undone(fourfold, 4).weight_decay == pytest.approx(plain.weight_decay)
    assert run_of(file, "byol_lightly_x4").method == run_of(file, "byol_lightly").method
    with_ours = run_of(file, "byol_lightly_x4_our_views")
    assert (with_ours.training, with_ours.views) == (fourfold, run_of(file, "byol_lightly_x4").views)


@pytest.mark.parametrize("file", FILES)
def test_every_pair_is_claimed_equivalent_with_seeds_enough_for_a_verdict(file):
    package, study = FILES[file], PLANS[file].study
    assert len(study.seeds) >= pairs_needed()
    assert {claim.relation for claim in study.claims} == {"equivalent"}
    pairs = [(claim.first.method, claim.second.method) for claim in study.claims]
    assert {(name, f"{name}_{package}") for name in USES[package]} <= set(pairs)


@pytest.mark.parametrize("package", USES)
def test_what_makes_a_peer_s_views_is_part_of_the_code_that_made_a_result(package):
    theirs, ours = (run_of(package, label).pretraining(0) for label in (f"simclr_{package}", "simclr"))
    wanted = f"pipelines/views/{package}.py"
    assert wanted in code_of(PretrainSpec(**theirs.model_dump())).files
    assert wanted not in code_of(PretrainSpec(**ours.model_dump())).files


REFUSED = [
    ({"shared_flip": True}, "no jigsaw and no shared_flip"),
    ({"jigsaw": Jigsaw()}, "no jigsaw and no shared_flip"),
    ({"augmentations": (Augmentation(grayscale_first=True),)}, "grayscale_first True: stable_pretraining's transforms"),
    ({"augmentations": (Augmentation(colour="lab"),)}, "colour lab: stable_pretraining's transforms have rgb alone"),
]


@pytest.mark.parametrize(("views", "message"), REFUSED)
def test_a_recipe_that_its_transforms_cannot_make_is_refused(views, message):
    with pytest.raises(ValueError, match=message):
        Options().check_views(Views(**views))
    Options(transforms="ours").check_views(Views(**views))
    Options().check_views(Views(augmentations=(Augmentation(scale=(0.2, 0.5), interpolation="bicubic", ratio=(1, 1)),)))


def test_what_only_another_method_has_is_refused_and_names_what_this_one_has():
    with pytest.raises(ValueError, match="hidden: simsiam has no such option; it has predictor_hidden, dim"):
        Options(method="simsiam", hidden=16)
    assert Options(method="moco_v2").short_name == "moco_v2_stable_pretraining"
