import pytest
import torch
import torch.nn.functional as F
from parity_tools import both_precisions, load, tensors

from pipelines.evaluation import zero_shot
from pipelines.evaluation.zero_shot import ImagesAndTexts
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot


@both_precisions
def test_accuracies_are_the_references(dtype):
    given, expected = tensors("clip_zeroshot", dtype), load("clip_zeroshot")
    features = ImagesAndTexts(given["image_features"], given["labels"], given["text_features"])
    found = zero_shot.measure(ZeroShot(), features).test
    assert found["top1"] == pytest.approx(float(expected["top1"]))
    assert found["top5"] == pytest.approx(float(expected["top5"]))
    hits = expected["predictions"] == expected["labels"]
    per_class = [hits[expected["labels"] == c].mean() for c in set(expected["labels"].tolist())]
    assert found["mean_per_class"] == pytest.approx(sum(per_class) / len(per_class))


def test_templates_are_averaged_as_directions():
    """Two templates that err on opposite sides of their class: each alone misleads, their mean does not."""
    turn = torch.tensor([0.0, 1.2, 2.4])
    centres = torch.stack([turn.cos(), turn.sin()], dim=1)
    sides = torch.stack([torch.stack([(turn + d).cos(), (turn + d).sin()], dim=1) for d in (0.9, -0.9)], dim=1)
    label = torch.arange(3)
    assert zero_shot.measure(ZeroShot(), ImagesAndTexts(centres, label, sides)).test["top1"] == 1
    for template in (0, 1):
        alone = ImagesAndTexts(centres, label, sides[:, template : template + 1])
        assert zero_shot.measure(ZeroShot(), alone).test["top1"] < 1


def test_the_order_of_classes_is_that_of_the_labels():
    text = F.normalize(torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(0)), dim=2)
    image = F.normalize(text.mean(1), dim=1)
    shuffled = torch.tensor([3, 1, 4, 0, 2])
    assert zero_shot.measure(ZeroShot(), ImagesAndTexts(image[shuffled], shuffled, text)).test["top1"] == 1
    assert zero_shot.measure(ZeroShot(), ImagesAndTexts(image[shuffled], torch.arange(5), text)).test["top1"] == 0.2
