"""What a job asks of a cluster, from its encoder, its images and its epochs; a profile may override all of it."""

import math
from dataclasses import dataclass

from pipelines.spec.evaluation.parts import OnImages
from pipelines.spec.jobs import EvaluateSpec, JobSpec, PretrainSpec, RunSpec, ShardsSpec, TuneSpec
from pipelines.spec.tuning import Judged

IMAGENET = 1_281_167
"""Images of a data set whose size planning does not know: the largest that is usual."""
GPU_GFLOPS = 20_000.0
"""Multiply-adds in billions a second that one data-centre GPU is assumed to reach in training, by which time is asked for: a
low estimate, since a job that asks for too little time is ended."""
FED_GFLOPS = 43_000.0
"""The same, by which cores are asked for: a high estimate, since a GPU that waits for images is dearer than cores. It is the
upper estimate of an H100, 3,500 images of ResNet-50 a second, each with 12.3 billion forward and backward (docs/scale.md)."""
CORE_GFLOPS = 25.0
"""The same for one core of a CPU on a small network (measured: docs/performance.md)."""
SMALL_GFLOPS = 100_000.0
"""A job of less work takes one core: several such jobs side by side are faster than one on several cores."""


CUT = 390.0
"""Photographs a second that one core decodes and cuts into crops, two large and six small ones; colours are left to the GPU.
The slower of two recipes (measured: docs/performance.md). Other sizes of image are taken to cost by their area."""
LEAST_CORES, MOST_CORES = 4, 16
"""Cores that a training asks for beside each GPU, at least and at most: the processes that decode, and one that trains."""
MIDDLE, LARGE = 20_000, 200_000
"""Images from which on packing and evaluation take 4 cores, and 8."""
UNKNOWN = 100_000
"""Images of a data set to pack or to evaluate on, whose size neither planning nor a record knows."""
WIDEST = 2048
"""Numbers in a feature, at most: a ResNet-50's."""
FEATURE_COPIES = 4
"""Times that all features of a data set are in memory, while they are gathered and while a probe learns (measured: 3.8)."""
IN_BLOCKS = ("knn", "linear")
"""Protocols that read features block by block, from a file where they are large (pipelines/evaluation/features.py)."""
MAPPED, MAPPED_NEEDS = 2_147, 2_000
"""MB of features from which on they are in a file, and MB that such a protocol takes beside it (measured: 0.9 GiB for 1.28
million rows). The file is cached in memory as far as there is room: so much room is asked for, for a probe reads it often."""
PACKED, EVALUATED = 0.005, 0.06
"""Seconds of one core for an image: to pack it, and to measure its features by a probe (measured: 4.8 ms and 53 ms)."""


SAFETY = 2
"""Times that what is expected or was measured is asked for."""
LEAST_MINUTES = 30
"""What a training asks for at least, and every job whose like was measured."""
MARGIN, LEAST_MB = 1.5, 4_000
"""Times that the recorded peak of a process's memory is asked for, and MB for each process at least."""
DECODER_MB = 1_000
"""Room for each process that decodes: no record counts them (assumed: an interpreter, and the batches it has ready)."""


@dataclass(frozen=True)
class Resources:
    """threads, memory in MB and minutes."""

    threads: int
    mem_mb: int
    minutes: int


@dataclass(frozen=True)
class Earlier:
    """What records say that such jobs take: minutes in all, and MiB of the host for each process; None where none says it."""

    minutes: float | None = None
    mib: float | None = None


NOTHING_KNOWN = Earlier()


def work(spec: JobSpec, counted: int | None = None) -> float:
    """Multiply-adds in billions of training: what the method says of an image in a step, for every image and epoch.

    Of an evaluation what its protocol says, of tuning what judges its trials too; 0 for stages that do not train. counted:
    images of train, where planning knows no size of the data set.
    """
    if not isinstance(spec, RunSpec | EvaluateSpec):
        return 0.0
    images = spec.dataset.train_images or counted or spec.dataset.limit or IMAGENET
    if isinstance(spec, EvaluateSpec):
        on_images, forward = isinstance(spec.evaluation, OnImages), spec.forward_gflops
        return spec.evaluation.gflops(forward, images) if on_images else spec.evaluation.training_gflops
    training = images * spec.training.epochs * _step_gflops(spec)
    if not isinstance(spec, TuneSpec):
        return training
    return spec.search.trainings * (spec.search.data_share * training + _judging_gflops(spec, images))


def resources(
    specs: list[JobSpec],
    gpus: int = 1,
    counted: int | None = None,
    earlier: Earlier = NOTHING_KNOWN,
    workers: int = 1,
) -> Resources:
    """What jobs ask for that one process, or one a GPU, runs one after the other. Times are twice what is expected.

    Training takes its work on the GPUs, at least 30 minutes, and the cores that keep them fed, also where an evaluation
    trains on images; packing and other evaluations take what the number of images asks for, at least an hour. gpus: those
    that a training gets; 0 counts as one. counted: images of train, where shards have been packed that planning knows no
    size of. earlier: what jobs of the same kind took, which comes before what is expected. workers: processes that share the
    trials of a search; each asks for its part of the time.
    """
    devices = max(1, gpus)
    trains = any(_step_gflops(spec) for spec in specs)
    share = max(_share(spec, workers) for spec in specs)
    table = _of_training(specs, devices, counted, share) if trains else _of_images(specs, counted)
    known, peak = earlier.minutes, earlier.mib
    return Resources(
        threads=table.threads,
        mem_mb=table.mem_mb if peak is None else _room(peak, table.threads, devices),
        minutes=table.minutes if known is None else max(LEAST_MINUTES, math.ceil(SAFETY * share * known)),
    )


def _share(spec: JobSpec, workers: int) -> float:
    """The part of a job's time that one of the processes takes that share it."""
    return spec.search.rounds(workers) / spec.search.trainings if isinstance(spec, TuneSpec) else 1.0


def _of_training(specs: list[JobSpec], devices: int, counted: int | None, share: float) -> Resources:
    expected = share * sum(work(spec, counted) for spec in specs) / GPU_GFLOPS / devices / 60
    threads = max(_cores(spec, counted) for spec in specs) * devices
    return Resources(threads, 16_000 * devices, max(LEAST_MINUTES, math.ceil(SAFETY * expected)))


def _of_images(specs: list[JobSpec], counted: int | None) -> Resources:
    """Of packing, and of evaluations on features."""
    images = max(_images(spec, counted) for spec in specs)
    threads = 1 if images < MIDDLE else 4 if images < LARGE else 8
    shards = isinstance(specs[0], ShardsSpec)
    features = max(_features_mb(spec, images) for spec in specs)
    seconds = len(specs) * images * (PACKED if shards else EVALUATED)
    trained = SAFETY * sum(map(work, specs)) / GPU_GFLOPS / 60
    minutes = max(60, round(SAFETY * seconds / threads / 60), round(trained))
    return Resources(threads, max(8_000, round(4_000 + features)), minutes)


def _room(mib: float, threads: int, devices: int) -> int:
    """MB for a process a device that each hold so much, with those that decode for them."""
    held = devices * MARGIN * mib * 2**20 / 1e6 + (threads - devices) * DECODER_MB
    return max(LEAST_MB * devices, math.ceil(held))


def shared_by(spec: JobSpec, gpus: int, counted: int | None = None) -> int:
    """How many of ``gpus`` a job can use, one a process. counted: images of train, once they are packed.

    An evaluation that trains on images takes all where that is worth a process group and a batch of the size that is asked for
    can be shared. Twice the batch is wanted, since labels are drawn class by class and planning knows no class; how many
    images of a partly labelled data set have a label it does not know at all.
    """
    if isinstance(spec, PretrainSpec):
        return gpus
    if not isinstance(spec, EvaluateSpec) or not isinstance(options := spec.evaluation, OnImages):
        return 1
    images = spec.dataset.train_images or counted or spec.dataset.limit or UNKNOWN
    enough = options.labelled(images) >= 2 * options.batch_size and not spec.dataset.partly_labelled
    return gpus if gpus and enough and not options.batch_size % gpus and work(spec, counted) >= SMALL_GFLOPS else 1


def _cores(spec: JobSpec, counted: int | None) -> int:
    """Beside one GPU: one, and as many as decode images as fast as it may learn from them; 1 where training is small."""
    if work(spec, counted) < SMALL_GFLOPS or not (step := _step_gflops(spec)):
        return 1
    decoding = FED_GFLOPS / step / (CUT * (224 / _side(spec)) ** 2)
    return min(MOST_CORES, max(LEAST_CORES, 1 + math.ceil(decoding)))


def _judging_gflops(spec: TuneSpec, images: int) -> float:
    """Of one trial; what online kNN takes at the end of every training is not counted."""
    aim = spec.search.objective
    forward = spec.encoder.forward_gflops(_side(spec))
    return aim.by.gflops(forward, images) if isinstance(aim, Judged) else 0.0


def _step_gflops(spec: JobSpec) -> float:
    """Of one image in a step; 0 for what does not train on images."""
    if isinstance(spec, RunSpec):
        return spec.method.passes(spec.encoder, spec.views, _side(spec)).gflops
    if isinstance(spec, EvaluateSpec) and isinstance(spec.evaluation, OnImages):
        return spec.evaluation.step_gflops(spec.forward_gflops)
    return 0.0


def _side(spec: JobSpec) -> int:
    """Pixels a side of the images."""
    return (spec.dataset.side if isinstance(spec, RunSpec | EvaluateSpec) else None) or 224


def _features_mb(spec: JobSpec, images: int) -> float:
    """What an evaluation of so many images keeps of their features in memory; 0 for another stage."""
    if not isinstance(spec, EvaluateSpec):
        return 0.0
    whole = images * WIDEST * 4 / 1e6
    mapped = whole > MAPPED and spec.evaluation.use in IN_BLOCKS and not spec.keep_features
    return MAPPED_NEEDS + whole if mapped else FEATURE_COPIES * whole


def _images(spec: JobSpec, counted: int | None) -> int:
    if not isinstance(spec, ShardsSpec | EvaluateSpec):
        return 0
    return spec.dataset.train_images or counted or spec.dataset.limit or UNKNOWN
