"""CLIP: its loss is the reference's, captions made from names, duplicates, and the way from texts to classes."""

import math

import pytest
import torch
from methods.tools import LinearEncoder, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from pydantic import ValidationError
from torch import Tensor, nn
from trainer_tools import every_method, small_method, small_options

from pipelines.batch import Batch
from pipelines.encoders.text import TextTransformer
from pipelines.encoders.tokeniser import VOCABULARY
from pipelines.errors import InputError
from pipelines.losses.clip import image_text_contrast
from pipelines.methods.base import DataFacts
from pipelines.methods.clip import CLIP, build
from pipelines.spec.methods import options_class
from pipelines.spec.methods.clip import Options

NAMES = ("cat", "dog", "traffic_light")


class Rows(nn.Module):
    """A text tower that looks rows up by the first byte of a text: a is row 0, b is row 1."""

    def __init__(self, rows: Tensor, first: int) -> None:
        super().__init__()
        self.rows, self.first, self.asked = nn.Parameter(rows), first, 0

    def forward(self, tokens: Tensor) -> Tensor:
        self.asked += len(tokens)
        return self.rows[tokens[:, 1] - self.first]


def captioned(texts: list[str], label: list[int] | None = None) -> Batch:
    numbers = torch.tensor(label) if label else torch.full((len(texts),), -1)
    return Batch(images=None, index=torch.arange(len(texts)), label=numbers, captions=texts)


def labelled(label: list[int]) -> Batch:
    return Batch(images=None, index=torch.arange(len(label)), label=torch.tensor(label))


def over_rows(images: Tensor, texts: Tensor, **options: object) -> CLIP:
    """CLIP whose projections are identities, over given text features."""
    dim = images.shape[1]
    method = CLIP(Options(dim=dim, **options), LinearEncoder(dim), TextTransformer(dim, 1, 1, 8), NAMES)
    method = method.to(images.dtype)
    method.text = Rows(texts, int(method.tokeniser(["a"])[0, 1]))
    for projection in (method.image_projection, method.text_projection):
        projection.weight.data.copy_(torch.eye(dim))
    return method


@both_precisions
@pytest.mark.parametrize("duplicates", ["ignore", "multi_positive"])
def test_the_loss_and_its_gradients_are_the_references(dtype, duplicates):
    given, expected = tensors("clip_loss", dtype), load("clip_loss")
    images, rows = given["image_embed"].requires_grad_(), given["text_embed"]
    method = over_rows(images, rows, duplicates=duplicates)
    method.log_scale.data.copy_(given["log_logit_scale"])
    output = method.loss([images], captioned([chr(ord("a") + i) for i in range(len(rows))]), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss"], dtype)
    assert_close(images.grad, expected["grad_image_embed"], dtype)
    assert_close(method.text.rows.grad, expected["grad_text_embed"], dtype)
    assert_close(method.log_scale.grad, expected["grad_log_logit_scale"], dtype)
    assert_close(output.watched["embeddings"], expected["image_features"], dtype)
    cosines = expected["logits_per_image"] / math.exp(float(expected["log_logit_scale"]))
    assert_close(output.watched["positive_scores"], cosines.diagonal(), dtype)
    assert output.watched["negative_scores"].shape == (len(rows), len(rows) - 1)
    sums = cosines.sum(1) - cosines.diagonal()
    assert_close(output.watched["negative_scores"].sum(1), sums, dtype, atol=1e-5)
    assert output.scalars["duplicates"] == 0


@both_precisions
def test_the_scale_is_clamped_after_a_step_as_in_the_reference(dtype):
    given, expected = tensors("clip_loss", dtype), load("clip_loss")
    method = over_rows(torch.eye(3, dtype=dtype), torch.eye(3, dtype=dtype))
    found = []
    for value in given["log_scale_to_clamp"].flatten():
        method.log_scale.data.copy_(value)
        method.after_step(progress())
        found.append(method.log_scale.detach().clone())
    assert_close(torch.stack(found), expected["log_scale_clamped"].flatten(), dtype)
    assert method.log_scale.requires_grad


def test_equal_captions_go_through_the_tower_once_and_give_equal_rows():
    images = torch.randn(5, 3, dtype=torch.float64)
    method = over_rows(images, torch.randn(2, 3, dtype=torch.float64))
    texts = ["b", "a", "b", "b", "a"]
    output = method.loss([images], captioned(texts), progress())
    assert method.text.asked == 2
    rows = method.text.rows[torch.tensor([1, 0, 1, 1, 0])]
    both = (image_text_contrast(images, rows, method.log_scale), image_text_contrast(rows, images, method.log_scale))
    torch.testing.assert_close(output.loss, sum(both) / 2)
    # 3 b's and 2 a's: 3 x 2 + 2 x 1 of the 20 other captions are right as well
    assert output.scalars["duplicates"].item() == pytest.approx(8 / 20)


def test_ignored_duplicates_cannot_be_told_apart_and_multi_positive_need_not_be():
    """Perfect embeddings of two classes: the paper's targets cost ln 3 at best, and so does the spread target."""
    images = torch.eye(2, dtype=torch.float64).repeat_interleave(3, 0)
    for duplicates in ("ignore", "multi_positive"):
        method = over_rows(images, torch.eye(2, dtype=torch.float64), duplicates=duplicates, temperature=0.01)
        output = method.loss([images], captioned(["a"] * 3 + ["b"] * 3), progress())
        assert output.loss.item() == pytest.approx(math.log(3))
        assert output.scalars["image_to_text_top1"] == 1


def test_made_captions_are_templates_with_class_names_drawn_from_the_steps_generator():
    method = small_method(small_options("clip", templates=("a {}", "the {} here")))
    method.describe(NAMES)
    batch = labelled([2, 0, 1, 2] * 20)

    def made(seed=0):
        return [method.tokeniser.text(method.sentences[row]) for row in method._drawn(batch, progress(seed=seed))]

    state = torch.get_rng_state()
    texts = made()
    assert torch.equal(torch.get_rng_state(), state)
    assert texts == made()
    assert texts != made(seed=5)
    assert {text for text, label in zip(texts, batch.label) if label == 2} == {
        "a traffic light",
        "the traffic light here",
    }
    assert all(NAMES[label].replace("_", " ") in text for text, label in zip(texts, batch.label))


def test_all_made_captions_or_those_of_the_batch_give_the_same_loss():
    """The shorter way depends on the size of the batch."""
    method = small_method(small_options("clip", templates=("a {}", "the {} here")))
    method.describe(NAMES)
    rows = torch.tensor([0, 5, 5, 1, 3, 2])
    torch.testing.assert_close(method._described(rows)[:4], method._described(rows[:4]))


def test_made_captions_of_one_class_count_as_duplicates_in_whatever_template():
    options = {"templates": ("a {}", "b {}"), "duplicates": "multi_positive"}
    images = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]]
    method = over_rows(images, torch.eye(2, dtype=torch.float64), **options)
    output = method.loss([images], labelled([0, 0, 1, 1]), progress())
    assert output.scalars["duplicates"].item() == pytest.approx(4 / 12)


@pytest.mark.parametrize(("names_given", "label"), [((), [0, 1]), (NAMES, [0, -1])])
def test_neither_caption_nor_named_label_is_refused(names_given, label):
    method = small_method(small_options("clip"))
    method.describe(names_given)
    with pytest.raises(InputError, match="neither captions nor a label"):
        method.loss([torch.randn(2, 3, 16, 16)], labelled(label), progress())


@both_precisions
def test_classes_lie_where_their_descriptions_do(dtype):
    method = small_method(small_options("clip")).to(dtype)
    one = method.class_embeddings(NAMES, ("a photo of a {}.",))
    both = method.class_embeddings(NAMES, ("a photo of a {}.", "{}"))
    assert both.shape == (3, 2, 8)
    torch.testing.assert_close(one[:, 0], both[:, 0])
    torch.testing.assert_close(both.norm(dim=2), torch.ones(3, 2, dtype=dtype))
    batch = captioned(["a photo of a cat.", "a photo of a dog.", "a photo of a traffic light."])
    features = torch.randn(3, method.encoder.width, dtype=dtype)
    method.encoder = LinearEncoder(method.encoder.width)
    output = method.loss([features], batch, progress())
    assert_close(output.watched["embeddings"], method.image_embeddings(features).detach().double().numpy(), dtype)
    cosines = (method.image_embeddings(features) * one[:, 0]).sum(1)
    torch.testing.assert_close(output.watched["positive_scores"], cosines.detach())
    assert method.class_embeddings(NAMES).shape == (3, len(method.options.templates), 8)


@pytest.mark.parametrize("duplicates", ["ignore", "multi_positive"])
def test_images_find_the_names_of_their_classes_whichever_template_says_them(duplicates):
    torch.manual_seed(0)
    text = TextTransformer(32, 1, 2, 24)
    options = Options(dim=8, context=24, duplicates=duplicates, templates=("a {}.", "one {} here"))
    method = CLIP(options, LinearEncoder(3), text, NAMES)
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    for step in range(60):
        batch = labelled([0, 1, 2] * 4)
        loss = method.loss([torch.eye(3)[batch.label]], batch, progress(step, 60)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(progress(step, 60))
    for template in options.templates:
        classes = method.class_embeddings(NAMES, (template,))[:, 0]
        assert (method.image_embeddings(torch.eye(3)) @ classes.T).argmax(1).tolist() == [0, 1, 2]


def merged(captions: tuple[str, ...] = ()) -> CLIP:
    facts = DataFacts(12, 3, 8, NAMES, captions)
    options = Options(dim=8, text_width=8, text_layers=1, text_heads=1, merges=6)
    return build(options, lambda: LinearEncoder(3), facts)


def test_merges_travel_with_the_weights_and_need_no_captions_to_come_back():
    trained, other = merged(("a red square", "a red car")), merged(("something else", "something"))
    assert trained.tokeniser(["red"]).shape[1] < other.tokeniser(["red"]).shape[1]
    other.load_state_dict(trained.state_dict(), strict=True)
    assert other.tokeniser.merges == trained.tokeniser.merges
    assert torch.equal(other.text_embeddings(["red"]), trained.text_embeddings(["red"]))


def test_without_captions_merges_are_learnt_from_class_names_and_without_both_there_are_none():
    assert merged().tokeniser(["a photo of a cat."]).shape[1] < 19
    facts = DataFacts(12, 0, 8)
    bare = build(Options(dim=8, text_width=8, text_layers=1, text_heads=1, merges=6), lambda: LinearEncoder(3), facts)
    assert bare.tokeniser.merges == ()
    assert bare.merges.tolist() == [[-1, -1]] * 6


def test_merges_learn_as_bytes_do_and_change_no_key_while_they_are_off():
    method, batch = merged(), labelled([0, 1, 2] * 4)
    method.loss([torch.eye(3)[batch.label]], batch, progress(0, 60)).loss.backward()
    assert method.text.tokens.weight.grad[VOCABULARY:].abs().sum() > 0
    assert "merges" not in Options().model_dump()
    assert "merges" not in small_method(small_options("clip")).state_dict()


@every_method
def test_methods_that_say_they_read_text_do(name):
    method = small_method(small_options(name))
    reads = all(hasattr(method, hook) for hook in ("class_embeddings", "image_embeddings"))
    assert reads == options_class(name).text


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "{name}", "a {} of {0}", "{} {"])
def test_a_template_needs_one_place_for_the_name(template):
    with pytest.raises(ValidationError, match="where the class name goes"):
        Options(templates=(template,))


def test_temperature_starts_where_told_and_heads_divide():
    method = small_method(small_options("clip", temperature=0.5))
    assert method.log_scale.exp().item() == pytest.approx(2)
    with pytest.raises(ValidationError, match="text_width 20 must be a multiple of text_heads \\(8\\); 16 would do"):
        Options(text_width=20)
