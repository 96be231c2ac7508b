"""What jobs leave on disk, by figures of their own: for planning, where no record of such a job is there."""

from pipelines.spec.encoders import resnet, vit
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.jobs import EvaluateSpec, JobSpec, PretrainSpec, RunSpec, ShardsSpec
from pipelines.spec.resources import UNKNOWN

TAR = 2_048
"""Bytes of a sample in a tar beside its pixels: two members, each with a header of 512 and filled up to 512 (measured: 2,051
for an image of 8 x 8 pixels, 2,052 for one of 28 x 28)."""
PHOTOGRAPH = 110_000
"""Bytes of a photograph as it is published: ILSVRC2012_img_train.tar has 137.8 GB for 1,281,167 images, Imagenette alike."""
SMALL = 64
"""Pixels a side up to which data sets are arrays or PNG, of at most a byte a pixel and channel."""
NUMBER = 4
"""Bytes of a weight: checkpoints and exported weights are float32."""
PARAMETERS = 25e6
"""Of an encoder of which planning knows no size: a ResNet-50's."""
HELD = 4
"""Times that a checkpoint holds the weights: network, momentum copy, and two numbers that AdamW keeps of each."""
AT_ONCE = 2
"""Checkpoints that a training keeps while it runs: the last, and the one before. The end deletes both."""
RESULT = 100_000
"""Bytes of an evaluation: predictions and the record (measured: 16 kB on digits, 180 kB with pictures)."""


def left_bytes(spec: JobSpec, images: int | None) -> float:
    """What a finished job leaves. images: of train, where they are known."""
    if isinstance(spec, ShardsSpec):
        return (images or spec.dataset.train_images or UNKNOWN) * image_bytes(spec)
    if isinstance(spec, PretrainSpec):
        return weight_bytes(spec) + len(spec.training.keep_epochs) * checkpoint_bytes(spec)
    return RESULT if isinstance(spec, EvaluateSpec) else 0.0


def image_bytes(spec: ShardsSpec) -> float:
    """Of one image in a tar, which holds the original bytes."""
    return TAR + (spec.dataset.input_channels * _side(spec) ** 2 if has_small_images(spec) else PHOTOGRAPH)


def has_small_images(spec: ShardsSpec) -> bool:
    """Whether its images are known to be small; others are taken for photographs."""
    return 0 < _side(spec) <= SMALL


def _side(spec: ShardsSpec) -> int:
    """Pixels a side as published, else as a network sees them; 0 where planning knows neither."""
    return spec.dataset.published_side or spec.dataset.side or 0


def weight_bytes(spec: RunSpec) -> float:
    """Of the encoder of a run, without a head."""
    return NUMBER * parameters(spec.encoder)


def checkpoint_bytes(spec: RunSpec) -> float:
    """Of a checkpoint, at most."""
    return HELD * weight_bytes(spec)


def running_bytes(spec: RunSpec) -> float:
    """What a training takes beside what it leaves, while it runs."""
    return AT_ONCE * checkpoint_bytes(spec)


def parameters(encoder: EncoderOptions) -> float:
    """Numbers in an encoder's weights, about: convolutions and linear maps alone."""
    match encoder:
        case resnet.Options(depth=depth, width=width):
            return sum(_stage(depth, width, stage, count) for stage, count in enumerate(resnet.BLOCKS[depth]))
        case vit.Options(size=size):
            width, blocks, _ = vit.SIZES[size]
            return 12.0 * blocks * width**2  # four maps of attention, and two of four times the width
    return PARAMETERS


def _stage(depth: int, width: int, stage: int, count: int) -> float:
    """Of one stage of a ResNet: the first block takes what the stage before gives, and has a shortcut of its own."""
    planes = width * 2**stage
    wide = 4 if depth >= 50 else 1
    before, after = (planes * wide // 2 if stage else width), planes * wide

    def block(taken: int) -> float:
        return taken * planes + (9 + wide) * planes**2 if wide > 1 else 9 * (taken + planes) * planes

    return block(before) + (count - 1) * block(after) + before * after
