import math

import pytest
import torch
import torch.nn.functional as F
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.clip import (
    clamped_log_scale,
    image_text_contrast,
    multi_positive_contrast,
    zero_shot_classifier,
    zero_shot_logits,
)


def both_ways(images, texts, log_scale) -> torch.Tensor:
    """The paper's loss: the mean of both directions."""
    return (image_text_contrast(images, texts, log_scale) + image_text_contrast(texts, images, log_scale)) / 2


def pairs(seed: int) -> list[torch.Tensor]:
    return list(torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


@both_precisions
def test_matches_the_reference(dtype):
    given, expected = tensors("clip_loss", dtype), load("clip_loss")
    images, texts, log_scale = (
        given[name].requires_grad_() for name in ("image_embed", "text_embed", "log_logit_scale")
    )
    assert_close(F.normalize(images, dim=1), expected["image_features"], dtype)
    assert_close(image_text_contrast(images, texts, log_scale), expected["loss_image_to_text"], dtype)
    assert_close(image_text_contrast(texts, images, log_scale), expected["loss_text_to_image"], dtype)
    loss = both_ways(images, texts, log_scale)
    loss.backward()
    assert_close(loss, expected["loss"], dtype)
    assert_close(images.grad, expected["grad_image_embed"], dtype)
    assert_close(texts.grad, expected["grad_text_embed"], dtype)
    assert_close(log_scale.grad, expected["grad_log_logit_scale"], dtype)
    assert_close(clamped_log_scale(given["log_scale_to_clamp"]), expected["log_scale_clamped"], dtype)


@both_precisions
def test_zero_shot_matches_the_reference(dtype):
    given, expected = tensors("clip_zeroshot", dtype), load("clip_zeroshot")
    classifier = zero_shot_classifier(given["text_features"])
    logits = zero_shot_logits(given["image_features"], classifier)
    assert_close(classifier, expected["classifier"], dtype)
    assert_close(logits, expected["logits"], dtype)
    ranked, labels = logits.argsort(1, descending=True), given["labels"]
    assert ranked[:, 0].tolist() == expected["predictions"].tolist()
    hits = ranked == labels[:, None]
    assert hits[:, 0].double().mean().item() == pytest.approx(float(expected["top1"]))
    assert hits[:, :5].any(1).double().mean().item() == pytest.approx(float(expected["top5"]))


def test_equal_rows_leave_only_chance():
    ones = torch.ones(6, 5)
    assert both_ways(ones, ones, torch.tensor(1 / 0.07).log()).item() == pytest.approx(math.log(6))


def test_images_and_texts_may_change_places():
    images, texts = pairs(0)
    scale = torch.tensor(1.3, dtype=torch.float64)
    torch.testing.assert_close(both_ways(images, texts, scale), both_ways(3 * texts, images, scale))


def test_processes_with_gathered_candidates_agree_with_one_process():
    images, texts = pairs(1)
    scale = torch.tensor(1.3, dtype=torch.float64)
    parts = [image_text_contrast(images[i : i + 3], texts, scale, i) for i in (0, 3)]
    torch.testing.assert_close(torch.stack(parts).mean(), image_text_contrast(images, texts, scale))


def test_orthogonal_pairs_have_the_closed_form():
    eye, scale = torch.eye(4), torch.tensor(2.0)
    expected = math.log(math.exp(math.exp(2.0)) + 3) - math.exp(2.0)
    assert both_ways(eye, eye, scale).item() == pytest.approx(expected, rel=1e-4)


def test_the_classifier_of_one_template_is_the_text_itself_and_of_two_lies_halfway():
    texts = F.normalize(torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64), dim=-1)
    torch.testing.assert_close(zero_shot_classifier(texts[:, :1]), texts[:, 0].T)
    both = zero_shot_classifier(texts)
    torch.testing.assert_close(both.norm(dim=0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close((texts[:, 0] * both.T).sum(1), (texts[:, 1] * both.T).sum(1))


def test_with_one_positive_a_row_nothing_changes():
    images, texts = pairs(3)
    scale = torch.tensor(1.3, dtype=torch.float64)
    positive = torch.eye(6, dtype=torch.bool)[2:5]
    torch.testing.assert_close(
        multi_positive_contrast(images[2:5], texts, scale, positive), image_text_contrast(images[2:5], texts, scale, 2)
    )


def test_several_positives_are_equally_right():
    """Two classes of three, each a direction of its own: the logits say so as sharply as they may."""
    texts = torch.eye(2, dtype=torch.float64).repeat_interleave(3, dim=0)
    positive = texts @ texts.T > 0.5
    sharp = torch.tensor(math.log(100.0), dtype=torch.float64)
    assert multi_positive_contrast(texts, texts, sharp, positive).item() == pytest.approx(math.log(3))
    assert image_text_contrast(texts, texts, sharp).item() == pytest.approx(math.log(3))  # may not rank the three
    ones = torch.ones(6, 5, dtype=torch.float64)
    assert multi_positive_contrast(ones, ones, sharp, positive).item() == pytest.approx(math.log(6))


def test_only_one_positive_target_pulls_equal_texts_apart():
    images, _ = pairs(4)
    texts = images.roll(1, 0).requires_grad_()
    same = torch.ones(6, 6, dtype=torch.bool)
    flat = torch.tensor(0.0, dtype=torch.float64)
    multi_positive_contrast(torch.zeros_like(images), texts, flat, same).backward()
    assert not texts.grad.abs().gt(1e-12).any()  # every candidate fits: nothing to tell apart
