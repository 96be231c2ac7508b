"""Retrieval: recalls are those of a plain search, ties help nobody, and chunks change nothing."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from pipelines.errors import InputError
from pipelines.evaluation import retrieval
from pipelines.evaluation.retrieval import ImagesAndCaptions, measure
from pipelines.spec.evaluation.retrieval import Options


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(images: int = 30, most: int = 3, noise: float = 1.5) -> ImagesAndCaptions:
    """Images with one to ``most`` captions each, in no order, near their image."""
    owner = torch.arange(images).repeat_interleave(torch.arange(images) % most + 1)
    owner = owner[torch.randperm(len(owner), generator=seeded(0))]
    image = F.normalize(torch.randn(images, 6, generator=seeded(1)), dim=1)
    text = image[owner] + noise / 6**0.5 * torch.randn(len(owner), 6, generator=seeded(2))
    return ImagesAndCaptions(image, F.normalize(text, dim=1), owner)


def searched(given: ImagesAndCaptions, k: int) -> tuple[float, float]:
    """Recall by sorting every list of candidates: images that find a caption of theirs, captions that find their image."""
    cosine, owner = given.image.double() @ given.text.double().T, given.owner.tolist()
    by_image = [
        any(owner[place] == number for place in sorted(range(len(owner)), key=lambda t: -row[t])[:k])
        for number, row in enumerate(cosine.tolist())
    ]
    by_text = [
        owner[number] in sorted(range(len(column)), key=lambda m: -column[m])[:k]
        for number, column in enumerate(cosine.T.tolist())
    ]
    return sum(by_image) / len(by_image), sum(by_text) / len(by_text)


@pytest.mark.parametrize("elements", [retrieval.ELEMENTS, 100, 1])
def test_recalls_are_those_of_a_plain_search(elements, monkeypatch):
    monkeypatch.setattr(retrieval, "ELEMENTS", elements)
    found = measure(Options(at=(1, 3, 10)), pairs()).test
    for k in (1, 3, 10):
        expected = searched(pairs(), k)
        assert (found[f"image_to_text_recall_{k}"], found[f"text_to_image_recall_{k}"]) == pytest.approx(expected)
    assert 0.1 < found["image_to_text_recall_1"] < found["image_to_text_recall_10"]


def test_the_order_of_images_and_captions_does_not_matter():
    given = pairs()
    order = torch.randperm(len(given.image), generator=seeded(3))
    shuffle = torch.randperm(len(given.owner), generator=seeded(4))
    moved = ImagesAndCaptions(given.image[order], given.text[shuffle], order.argsort()[given.owner[shuffle]])
    one, other = measure(Options(), given).test, measure(Options(), moved).test
    assert one == pytest.approx(other)


def test_a_collapsed_encoder_finds_nothing():
    given = pairs()
    same = ImagesAndCaptions(given.image[:1].expand(30, -1), given.image[:1].expand(len(given.owner), -1), given.owner)
    assert set(measure(Options(), same).test.values()) == {0.0}


def test_two_images_with_the_same_caption_are_found_at_two_and_not_at_one():
    image = torch.eye(3)
    found = measure(Options(at=(1, 2)), ImagesAndCaptions(image, image[[0, 0, 2]], torch.arange(3))).test
    assert found["image_to_text_recall_1"] == pytest.approx(1 / 3)
    assert found["text_to_image_recall_1"] == pytest.approx(2 / 3)  # image 1 has a caption that is nearer to image 0
    assert found["text_to_image_recall_2"] == pytest.approx(2 / 3)  # and as far from image 2 as from its own


def test_every_candidate_looked_at_finds_all():
    given = pairs()
    assert set(measure(Options(at=(len(given.owner),)), given).test.values()) == {1.0}


@pytest.mark.parametrize(("part", "what"), [("image", "test"), ("text", "the captions")])
def test_broken_rows_are_refused_by_name(part, what):
    given = pairs()
    getattr(given, part)[2, 1] = torch.nan
    with pytest.raises(InputError, match=rf"^evaluation\.retrieval: 1 of \d+ rows of {what} hold NaN"):
        measure(Options(), given)


def test_numbers_of_the_options():
    names = [f"{way}_recall_{k}" for way, k in itertools.product(("image_to_text", "text_to_image"), (1, 5, 10))]
    assert list(Options().numbers) == names == list(measure(Options(), pairs()).test)
    with pytest.raises(ValidationError, match="must be different"):
        Options(at=(1, 1))


def test_what_was_said_of_every_image_gives_the_recalls_again():
    given = pairs()
    found = measure(Options(at=(1, 5)), given)
    for k in (1, 5):
        assert (found.answers["image_to_text"] < k).mean() == pytest.approx(found.test[f"image_to_text_recall_{k}"])
        assert (found.answers["text_to_image"] < k).mean() == pytest.approx(found.test[f"text_to_image_recall_{k}"])
    assert found.answers["owner"].tolist() == given.owner.tolist()
