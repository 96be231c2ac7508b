"""Detection: a Faster R-CNN that begins with the pretrained encoder, fine-tuned on boxes and measured on test.

Nothing is chosen: the last iteration is measured, by settings of the published protocol. Things marked difficult are learnt
from, as detectron2 does and with it MoCo, and ignored in the score, as the devkit's rule has it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from pipelines.encoders.base import Encoder
from pipelines.encoders.resnet import ResNet
from pipelines.errors import InputError
from pipelines.evaluation.average_precision import AveragePrecision
from pipelines.evaluation.detections import Detections
from pipelines.evaluation.detector import Detector
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.matches import matches
from pipelines.evaluation.measured import Measured
from pipelines.methods.base import Method
from pipelines.scene import Scene
from pipelines.spec.evaluation.detection import Options

TOGETHER = 4
"""Test images that are looked at together."""


class SceneBench(Protocol):
    """The scenes of a data set, and the encoder that a detector begins with.

    names  of the classes; mean, std: of the channels as the encoder takes them, three each in [0, 1]
    """

    names: Sequence[str]
    encoder: Encoder
    mean: Sequence[float]
    std: Sequence[float]

    def fit(self, method: Method, options: Options) -> dict[str, Any]:
        """Train on the scenes of train; numbers that follow from it."""

    def test(self, together: int) -> Iterator[list[Scene]]:
        """The scenes of test in order, so many at a time."""


class DetectorOutcome(NamedTuple):
    """Numbers, what follows from training, and what was found in every test image."""

    measured: Measured
    derived: dict[str, Any]
    found: list[Detections]


def measure(options: Options, bench: SceneBench) -> DetectorOutcome:
    """ap, ap50 and ap75 on test, and ap/NAME of each class, as fractions. answers: see ``matches``.

    InputError for an encoder that is no ResNet.
    """
    if not isinstance(bench.encoder, ResNet):
        raise InputError(
            f"evaluation.detection: the encoder is {type(bench.encoder).__name__}, and only a ResNet has the stages it needs"
        )
    detector = Detector(options, bench.encoder, len(bench.names), bench.mean, bench.std)
    derived = bench.fit(detector, options)
    score, asked, found = AveragePrecision(), list[Scene](), list[Detections]()
    with evaluating(detector):
        for scenes in bench.test(TOGETHER):
            for scene, said in zip(scenes, detector.detect(scenes), strict=True):
                one = Detections(said["boxes"].cpu(), said["labels"].cpu(), said["scores"].cpu())
                asked.append(on_cpu(scene))
                found.append(one)
                score.add(asked[-1], one)
    answers = matches(asked, found, len(bench.names))
    return DetectorOutcome(Measured(test=score.values(bench.names), answers=answers), derived, found)


def on_cpu(scene: Scene) -> Scene:
    """Without the pixels, which no score needs."""
    return Scene(scene.image[:, :0, :0].cpu(), scene.boxes.cpu(), scene.label.cpu(), scene.difficult.cpu())
