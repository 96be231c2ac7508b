"""Linear classifiers side by side: what each learns from, that none touches another, and which feature it reads."""

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from sklearn.linear_model import LogisticRegression
from torch import nn

from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.evaluation.side_by_side import ProbeCandidate, SideBySide
from pipelines.evaluation.tapped import features_of, width_of
from pipelines.spec.evaluation.linear_augmented import FORMS, Options
from pipelines.spec.training import Training
from pipelines.training.optimizers import build_optimizer, groups_of

WIDTH, CLASSES, ROWS = 10, 3, 60


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    label = torch.arange(ROWS) % CLASSES
    centres = torch.randn(CLASSES, WIDTH, generator=draw)
    return centres[label] + torch.randn(ROWS, WIDTH, generator=draw), label


def trained(lrs: tuple[float, ...], steps: int = 40, *, learns=None, batch_norm=False, decay=0.0) -> SideBySide:
    """Full-batch descent through the parameter groups that the loop would make."""
    torch.manual_seed(0)
    learns = torch.zeros(0, ROWS, dtype=torch.bool) if learns is None else learns
    candidates = [ProbeCandidate("pooled", lr) for lr in lrs]
    method = SideBySide(LinearEncoder(WIDTH), candidates, learns, CLASSES, batch_norm)
    with torch.no_grad():
        for parameter in method.whole.parameters():
            parameter.zero_()
    training = Training(optimizer="sgd", lr_per_256=max(lrs), weight_decay=decay, decay_norm_and_bias=False)
    optimizer = build_optimizer(groups_of(method, training), training, max(lrs))
    images, label = rows()
    for _ in range(steps):
        method.train()
        output = method.loss([images], batch(ROWS, label=label), progress())
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    return method


def test_a_decayed_classifier_reaches_the_minimum_that_scikit_learn_finds():
    decay = 0.02
    linear = trained((0.2, 0.5), 600, decay=decay).whole.linears
    images, label = rows()
    peer = LogisticRegression(C=1 / (decay * ROWS), tol=1e-10, max_iter=5000).fit(images.numpy(), label.numpy())
    for each in linear:
        torch.testing.assert_close(each.weight, torch.tensor(peer.coef_).float(), rtol=0, atol=2e-3)


def test_candidates_do_not_touch_each_other_and_each_keeps_its_rate():
    both, alone = trained((0.02, 0.5)), trained((0.02,))
    torch.testing.assert_close(both.whole.linears[0].weight, alone.whole.linears[0].weight)
    assert not torch.allclose(both.whole.linears[1].weight, both.whole.linears[0].weight, atol=0.05)


def test_a_rate_that_diverges_leaves_the_others_alone():
    wild, calm = trained((0.02, 1e38), 60), trained((0.02,), 60)
    assert not wild.whole.linears[1].weight.isfinite().all()
    torch.testing.assert_close(wild.whole.linears[0].weight, calm.whole.linears[0].weight)


def test_twins_never_see_what_judges_them():
    learns = torch.ones(1, ROWS, dtype=torch.bool)
    learns[0, ::4] = False
    method = trained((0.1,), 1, learns=learns)
    images, label = rows()
    spoilt = images.clone()
    spoilt[::4] = 1e3
    method.eval()
    gradients = []
    for each in (images, spoilt):
        method.zero_grad()
        method.loss([each], batch(ROWS, label=label), progress()).loss.backward()
        gradients.append(
            [linear.weight.grad.clone() for linear in (method.twins[0].linears[0], method.whole.linears[0])]
        )
    assert torch.equal(gradients[0][0], gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1])


def test_the_encoder_stays_as_it_is_and_batch_norm_counts_its_own_rows():
    learns = torch.arange(ROWS).unsqueeze(0) < 30
    method = trained((0.1,), 3, learns=learns, batch_norm=True)
    images, _ = rows()
    assert not any(parameter.requires_grad for parameter in method.encoder.parameters())
    for probes, seen in ((method.whole, images), (method.twins[0], images[:30])):
        mean = probes.norms["pooled"].running_mean / (1 - 0.9**3)
        torch.testing.assert_close(mean, method.features(seen)["pooled"].mean(0), rtol=1e-3, atol=1e-4)


def vit() -> ViT:
    torch.manual_seed(0)
    return ViT(12, 3, 2, 4, 8).eval()


def test_tokens_are_those_of_the_last_blocks():
    encoder, images = vit(), torch.randn(2, 3, 8, 8)
    wanted = ["pooled", "tokens_1", "tokens_2", "tokens_2_mean"]
    with torch.no_grad():
        found = features_of(encoder, images, wanted)
        tokens = encoder.tokens(images)
        x = torch.cat([encoder.cls_token.expand(2, -1, -1), encoder.patch_embed(images)], 1) + encoder.positions(2, 2)
        before = encoder.norm(encoder.blocks[1](encoder.blocks[0](x)))
    torch.testing.assert_close(found["pooled"], found["tokens_1"])
    torch.testing.assert_close(found["tokens_2"], torch.cat([before[:, 0], tokens[:, 0]], 1))
    torch.testing.assert_close(found["tokens_2_mean"][:, 24:], tokens[:, 1:].mean(1))
    assert {name: rows.shape[1] for name, rows in found.items()} == {name: width_of(encoder, name) for name in wanted}


def test_tokens_that_there_are_not_are_refused():
    with pytest.raises(InputError, match="tokens_4 asks for 4 blocks, and the encoder has 3; ask for fewer"):
        width_of(vit(), "tokens_4")
    with pytest.raises(InputError, match="tokens_1 needs a ViT's blocks"):
        width_of(LinearEncoder(WIDTH, nn.Identity()), "tokens_1")


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_what_its_paper_says_and_gives_way_to_what_is_given(form):
    options = Options(form=form)
    assert {name: getattr(options, name) for name in FORMS[form]} == FORMS[form]
    assert Options(**options.model_dump()) == options
    short = Options(form=form, epochs=5, lrs=(0.7,))
    assert (short.epochs, short.lrs) == (5, (0.7,))
    assert short.warmup_epochs <= 0.5
    assert Training(**short.training()).lr_per_256 == 0.7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lrs": (1.0, 1.0)}, "lrs must be different"),
        ({"features": ("tokens_0",)}, "features"),
        ({"warmup_epochs": 5.0, "epochs": 5}, "must be less than epochs"),
    ],
)
def test_options_without_a_meaning_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Options(**given)
