"""The study of peers: a row of lightly's differs from ours by who wrote the method, and by nothing that a study can set."""

import pytest

from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.load import load_study
from pipelines.spec.made_by import code_of
from pipelines.spec.methods.lightly import USES
from pipelines.spec.plan import plan
from pipelines.spec.recipes import RECIPES
from pipelines.spec.resolve import Run, resolve
from pipelines.statistics.paired import pairs_needed

PLAN = plan(load_study(RECIPES.parent / "peers" / "lightly.yaml"))
NAMES = tuple(USES)


def run_of(label: str) -> Run:
    study = PLAN.study
    (entry,) = [entry for entry in study.methods if entry.label == label]
    return resolve(study, entry, {}, study.all_datasets[0])


@pytest.mark.parametrize("name", NAMES)
def test_pairs_share_training_encoder_data_and_recipe(name):
    ours, theirs = run_of(name), run_of(f"{name}_lightly")
    resized = [kind.model_copy(update={"interpolation": theirs.method.resizing}) for kind in ours.views.augmentations]
    assert list(theirs.views.augmentations) == resized
    assert (theirs.training, theirs.encoder, theirs.dataset) == (ours.training, ours.encoder, ours.dataset)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_have_the_same_options(name):
    ours, theirs = run_of(name).method, run_of(f"{name}_lightly").method
    for option in set(USES[name]) & set(type(ours).model_fields):
        halved = (name, option) == ("vicreg", "variance")  # the weight of a mean, where ours is of a sum
        assert (theirs.variance / 2 if halved else getattr(theirs, option)) == getattr(ours, option), option


def test_the_rate_of_the_fourfold_row_undoes_the_smaller_loss():
    """A step of SGD is rate x (gradient + decay x weight): a quarter of the gradient, four times the rate."""
    plain, fourfold = run_of("byol_lightly").training, run_of("byol_lightly_x4").training
    assert fourfold.lr_per_256 == pytest.approx(4 * plain.lr_per_256)
    assert fourfold.lr_per_256 * fourfold.weight_decay == pytest.approx(plain.lr_per_256 * plain.weight_decay)
    assert run_of("byol_lightly_x4").method == run_of("byol_lightly").method
    with_ours = run_of("byol_lightly_x4_our_views")
    assert (with_ours.training, with_ours.views) == (fourfold, run_of("byol_lightly_x4").views)


def test_every_pair_is_claimed_equivalent_with_seeds_enough_for_a_verdict():
    assert len(PLAN.study.seeds) >= pairs_needed()
    assert {claim.relation for claim in PLAN.study.claims} == {"equivalent"}
    pairs = [(claim.first.method, claim.second.method) for claim in PLAN.study.claims]
    assert {(name, f"{name}_lightly") for name in NAMES} <= set(pairs)


def test_what_makes_a_peer_s_views_is_part_of_the_code_that_made_a_result():
    specs = {label: PretrainSpec(**run_of(label).pretraining(0).model_dump()) for label in ("simclr", "simclr_lightly")}
    assert "pipelines/views/lightly.py" in code_of(specs["simclr_lightly"]).files
    assert "pipelines/views/lightly.py" not in code_of(specs["simclr"]).files
