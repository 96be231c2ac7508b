import pytest

from pipelines.encoders import build_encoder
from pipelines.history import History, read
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.training.steadiness import steadiness
from pipelines.training.step import first_weights
from tests.trainer_tools import SIDE, small_options, small_trainer


def history(path, accuracies=(), losses=()):
    with History.open(path) as out:
        for step, loss in enumerate(losses):
            out.log(step, {"train/loss": loss})
        for epoch, accuracy in enumerate(accuracies):
            out.log(2 * epoch + 1, {"eval/online_knn": accuracy})
    return path


def test_dips_of_accuracy_are_counted_with_their_depth(tmp_path):
    found = steadiness(history(tmp_path / "h.jsonl", [0.5, 0.8, 0.7, 0.81, 0.6]), 2)
    assert found["final/dips/online_knn"] == 2
    assert found["final/dips/online_knn_deepest"] == pytest.approx(0.21)
    assert "final/dips/loss" not in found


def test_the_loss_is_judged_by_the_mean_of_an_epoch(tmp_path):
    steady = [3.0, 5.0, 4.0, 2.0, 1.0, 3.0, 3.0, 1.0]  # single readings jump, epochs go 4, 3, 2, 2
    jumps = [4.0, 4.0, 2.0, 2.0, 3.0, 3.0, 1.0, 1.0]
    assert steadiness(history(tmp_path / "a", losses=steady), 2) == {"final/dips/loss": 0}
    assert steadiness(history(tmp_path / "b", losses=jumps), 2) == {"final/dips/loss": 1}


def test_a_curve_of_two_readings_says_nothing(tmp_path):
    assert steadiness(history(tmp_path / "h.jsonl", [0.9, 0.1], [1.0, 2.0]), 1) == {}


@pytest.mark.parametrize(
    ("options", "name"), [(ResNet(depth=18), "conv1.weight"), (ViT(size="micro", patch=4), "patch_embed.proj.weight")]
)
def test_the_first_layer_is_the_one_that_reads_the_pixels(options, name):
    encoder = build_encoder(options, SIDE, 0)
    assert first_weights(encoder) is dict(encoder.named_parameters())[name]


def test_the_first_layers_gradient_is_a_curve_and_none_where_it_is_frozen(tmp_path):
    trainer = small_trainer(small_options("simclr"), tmp_path, epochs=1)
    found, step = [], trainer.step.optimizer.step

    def reads():
        found.append(dict(trainer.method.encoder.named_parameters())["conv1.weight"].grad.double().norm().item())
        step()

    trainer.step.optimizer.step = reads
    trainer.fit()
    logged = [point.metrics["train/first_layer_gradient_norm"] for point in read(tmp_path / "history.jsonl")]
    assert logged == pytest.approx(found, rel=1e-5)

    frozen = small_trainer(small_options("simclr"), epochs=1)
    dict(frozen.method.encoder.named_parameters())["conv1.weight"].requires_grad_(False)
    assert "final/train/first_layer_gradient_norm" not in frozen.fit().metrics
