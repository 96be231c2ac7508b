"""The feature that a linear probe reads is chosen on training images, among candidates that one pass trains."""

from dataclasses import replace

import pytest
import torch
from protocol_tools import features, seeded
from study_tools import Made

from pipelines.encoders.resnet import ResNet
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.evaluation import linear
from pipelines.evaluation.features import Features
from pipelines.evaluation.linear import Candidate, FeatureGroup
from pipelines.evaluation.tapped import features_of, width_of
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.low_shot import Options as LowShot
from pipelines.spec.plan import plan_file

QUICK = Linear(least_steps=60, epochs=1, lrs=(1.0, 10.0), features=("pooled", "tokens_2"))


def two_features() -> Features:
    """Pooled is noise, tokens_2 tells the classes apart."""
    given = features()
    noise, more = (torch.randn(len(rows), 3, generator=seeded(7)) for rows in (given.train, given.test))
    columns = {"pooled": (0, 3), "tokens_2": (3, 11)}
    train, test = torch.cat([noise, given.train], 1), torch.cat([more, given.test], 1)
    return replace(given, train=train, test=test, columns=columns)


def test_the_feature_that_tells_classes_apart_is_chosen_and_measured_alone():
    given = two_features()
    found = linear.measure(QUICK, given, seeded())
    assert found.chosen["feature"] == "tokens_2"
    assert {"top1/lr_1_wd_0", "top1/lr_10_wd_0", "top1/tokens_2_lr_1_wd_0", "top1/tokens_2_lr_10_wd_0"} <= set(
        found.holdout
    )
    alone = replace(given, train=given.train[:, 3:], test=given.test[:, 3:], columns={})
    assert found.test["top1"] == pytest.approx(linear.measure(QUICK, alone, seeded()).test["top1"], abs=0.05)


def test_several_features_in_one_pass_are_trained_as_each_alone():
    given, options = two_features(), Linear(least_steps=30, epochs=1)
    rates = [Candidate(1.0, 0.0), Candidate(3.0, 1e-3)]
    groups = [FeatureGroup(slice(0, 3), rates), FeatureGroup(slice(3, 11), rates)]
    together = linear.train_groups(options, given.train, given.train_label, 4, groups, seeded())
    for probes, group in zip(together, groups):
        rows = given.train[:, group.columns]
        one = linear.train(options, rows, given.train_label, 4, rates, seeded())
        torch.testing.assert_close(probes.weight, one.weight)


def test_random_test_labels_change_no_choice():
    given = two_features()
    mixed = replace(given, test_label=given.test_label[torch.randperm(len(given.test_label), generator=seeded(3))])
    assert linear.measure(QUICK, given, seeded()).chosen == linear.measure(QUICK, mixed, seeded()).chosen


def test_features_are_kept_with_their_columns(tmp_path):
    given = two_features()
    given.save(tmp_path / "kept.safetensors")
    assert Features.load(tmp_path / "kept.safetensors").columns == given.columns


def test_a_stage_is_the_mean_over_places_and_the_last_one_is_the_pooled_feature():
    encoder, images = ResNet(10, 4, "small").eval(), torch.randn(2, 3, 16, 16, generator=seeded())
    with torch.no_grad():
        found = features_of(encoder, images, ["pooled", "stage_3", "stage_4"])
        torch.testing.assert_close(found["stage_4"], found["pooled"])
        torch.testing.assert_close(found["stage_3"], encoder.feature_maps(images)[2].mean((2, 3)))
    assert found["stage_3"].shape[1] == width_of(encoder, "stage_3")


@pytest.mark.parametrize(("feature", "words"), [("tokens_1", "needs a ViT"), ("stage_5", "the encoder has 4")])
def test_what_a_resnet_does_not_have_is_refused(feature, words):
    with pytest.raises(InputError, match=words):
        width_of(ResNet(10, 4, "small"), feature)


def test_of_a_vit_the_last_class_token_is_the_pooled_feature():
    encoder, images = ViT(16, 3, 2, 4, 8).eval(), torch.randn(2, 3, 8, 8, generator=seeded())
    with torch.no_grad():
        found = features_of(encoder, images, ["pooled", "tokens_1", "tokens_2_mean"])
    torch.testing.assert_close(found["tokens_1"], found["pooled"])
    assert found["tokens_2_mean"].shape == (2, 48)


def test_the_default_changes_no_key_and_low_shot_refuses_other_features():
    assert "features" not in Linear().model_dump()
    assert "features" in QUICK.model_dump()
    with pytest.raises(ValueError, match="low_shot reads the pooled feature"):
        LowShot(probe=QUICK)


STUDY = """
question: q
dataset: {use: digits, limit: 200}
encoder: {use: vit, size: micro, patch: 4}
methods: [{use: moco, queue_size: 64, label: moco}]
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3}, {use: linear, least_steps: 20, epochs: 1, features: [pooled, tokens_4, tokens_4_mean]}]
"""


def test_a_study_chooses_among_the_features_of_a_vit_and_pixels_have_one(tmp_path):
    made = Made.of(STUDY, tmp_path)
    made.run(*made.plan.of("pretrain"), *made.plan.of("evaluate"))
    for job in made.plan.of("evaluate"):
        derived = made.record(job)["derived"]
        if job.spec.evaluation.use == "linear" and job.spec.source.use != "pixels":
            assert derived["chosen/feature"] in ("pooled", "tokens_4", "tokens_4_mean")
            assert derived["features/width"] == 64 * (1 + 4 + 5)
        else:
            assert "chosen/feature" not in derived


def test_tokens_of_a_resnet_are_refused_before_anything_runs(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY.replace("{use: vit, size: micro, patch: 4}", "{use: resnet, depth: 10}"))
    with pytest.raises(InputError, match=r"moco: features: tokens_4 needs a ViT's blocks.*take pooled or a stage"):
        plan_file(tmp_path / "study.yaml")


def test_features_and_layers_of_a_head_are_not_asked_for_at_once():
    with pytest.raises(ValueError, match="leave one of them out"):
        Linear(features=("pooled", "stage_2"), head_layers=1)
