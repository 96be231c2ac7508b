"""What a job asks of a cluster, from its encoder, its images and its epochs; a profile may override all of it."""

from dataclasses import dataclass
from typing import Any

from pipelines.spec.job import Job
from pipelines.spec.sizes import train_images_of

GFLOPS_224 = {"resnet": {10: 0.9, 18: 1.8, 34: 3.7, 50: 4.1, 101: 7.8, 152: 11.6}, "alexnet": 0.7, "timm": 4.0}
"""Multiply-adds in billions of one forward pass at 224 pixels (the papers' tables), with the large stem."""
VIT_GFLOPS_196 = {"micro": 0.05, "tiny": 1.1, "small": 4.6, "base": 17.6, "large": 61.6}
"""Of one forward pass over 196 patches."""
GPU_GFLOPS = 20_000.0
"""Multiply-adds in billions a second that one data-centre GPU is assumed to reach in training."""

SMALL_GFLOPS = 100_000.0
"""A job of less work takes one core: several such jobs side by side are faster than one on several cores."""


@dataclass(frozen=True)
class Resources:
    """threads, GPUs, memory in MB and minutes."""

    threads: int
    gpu: int
    mem_mb: int
    minutes: int


def resources(job: Job) -> Resources:
    """The rule: pretraining takes 6 forward passes an image and epoch (two views, backward twice as dear), twice over
    for safety, at least 30 minutes; a trial study as many as its trials; everything else a flat hour."""
    if job.stage not in ("pretrain", "tune"):
        return Resources(threads=1, gpu=int(job.stage == "embed"), mem_mb=8_000, minutes=60)
    training = job.spec["training"]
    images = (train_images_of(job.spec["dataset"]) or 1_281_167) * training["epochs"]
    trials = job.spec["tuning"]["trials"] if job.stage == "tune" else 1
    work = 6 * images * trials * forward_gflops(job.spec["encoder"], job.spec["dataset"]["image_size"] or 224)
    threads = 1 if work < SMALL_GFLOPS else 4
    return Resources(threads=threads, gpu=1, mem_mb=16_000, minutes=max(30, round(2 * work / GPU_GFLOPS / 60)))


def forward_gflops(encoder: dict[str, Any], image_size: int) -> float:
    """Multiply-adds in billions of one forward pass of one image."""
    if encoder["use"] == "vit":
        return VIT_GFLOPS_196[encoder["size"]] * (image_size / encoder["patch"]) ** 2 / 196
    area = (image_size / 224) ** 2
    if encoder["use"] == "resnet":
        stem = 16 if encoder["stem"] == "small" else 1  # no pooling: every map is four times as wide and high
        depths: dict[int, float] = GFLOPS_224["resnet"]  # type: ignore[assignment]
        return depths[encoder["depth"]] * (encoder["width"] / 64) ** 2 * area * stem
    flat: float = GFLOPS_224[encoder["use"]]  # type: ignore[assignment]
    return flat * area
