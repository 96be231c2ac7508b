"""What detection works on, put together from an evaluation's job."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines.batch import Batch
from pipelines.building.devices import chosen_device, data_workers
from pipelines.building.subject import Subject
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.base import Method
from pipelines.records import TRAINING_SECONDS
from pipelines.scene import Scene, SceneBatch
from pipelines.signals import Stop
from pipelines.sources.reader import ShardSet
from pipelines.sources.scenes import Scenes
from pipelines.spec.evaluation.detection import Options
from pipelines.spec.training import Training
from pipelines.training.loop import Trainer

FEW = 200
"""Images of train up to which no other process decodes them: starting one takes longer."""


@dataclass
class Steps:
    """The scenes of all steps as the loop's one epoch."""

    scenes: Scenes
    batch_size: int
    steps_per_epoch: int
    reading = "random"

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of all steps from ``first_step`` on."""
        return iter(self.scenes.steps(self.batch_size, first_step, self.steps_per_epoch))


@dataclass
class JobScenes:
    """A data set and an encoder; see ``evaluation.detection``. Checkpoints go to ``out``."""

    shards: ShardSet
    names: Sequence[str]
    encoder: Encoder
    mean: Sequence[float]
    std: Sequence[float]
    seed: int
    out: Path
    stop: Stop
    say: Callable[[str], None]

    @classmethod
    def of(cls, subject: Subject, stop: Stop, say: Callable[[str], None]) -> "JobScenes":
        """InputError where the encoder takes other colours than RGB."""
        source, spec = subject.source(), subject.spec
        assert source.encoder is not None, "planning gives raw pixels no protocol that trains on images"
        mean, std, colour = source.wanted.mean, source.wanted.std, source.wanted.recipe.kinds[0].colour
        if colour not in ("rgb", "unit"):
            raise InputError(f"evaluation.detection: the encoder takes {colour}, and a detector red, green and blue")
        if colour == "unit":  # values from 0 to 1 as they are
            mean, std = (0.0,), (1.0,)
        names, colours = spec.dataset.label_names, (_three(mean), _three(std))
        return cls(subject.shards, names, source.encoder, *colours, spec.seed, subject.out, stop, say)

    def fit(self, method: Method, options: Options) -> dict[str, Any]:
        """Train by the options' schedule, from the last checkpoint where there is one."""
        scenes = self._scenes("train")
        images = len(scenes.rows)
        if images < options.batch_size:
            raise InputError(
                f"evaluation.detection.batch_size: {options.batch_size} is more than the {images} images of train that have "
                "boxes; choose a smaller one"
            )
        if not options.iterations:
            method.to(chosen_device())
            return {"images": images}
        trainer = Trainer(
            method=method,
            data=Steps(scenes, options.batch_size, options.iterations),
            make_views=views_of,
            training=schedule(options),
            seed=self.seed,
            device=chosen_device(),
            out=self.out,
            job=self.out.name,
            stop=self.stop,
            sound=lambda: self.shards.check_unchanged("train"),
            say=self.say,
        )
        with self.stop.deferred():
            trained = trainer.fit()
        epochs = options.iterations * options.batch_size / images
        return {**trained.derived, "images": images, "epochs": epochs, TRAINING_SECONDS: trained.clock.training}

    def test(self, together: int) -> Iterator[list[Scene]]:
        """The scenes of test in order, so many at a time."""
        yield from self._scenes("test").in_order(together)
        self.shards.check_unchanged("test")

    def _scenes(self, split: str) -> Scenes:
        few = self.shards.index.count(split) <= FEW
        return Scenes(self.shards, split, self.names, self.seed, chosen_device(), 0 if few else data_workers(None))


def views_of(batch: Batch, generator: torch.Generator) -> list[Tensor]:
    """The images of a batch as a detector takes them, which changes their size by itself."""
    assert isinstance(batch, SceneBatch), "detection reads scenes"
    return [scene.view for scene in batch.scenes]


def schedule(options: Options) -> Training:
    """All iterations as one epoch. Full precision, and norms and biases do not decay: detectron2's norms do not, biases do."""
    return Training(
        epochs=1,
        batch_size=max(2, options.batch_size),
        lr_per_256=options.lr,
        lr_scaling="none",
        weight_decay=options.weight_decay,
        decay_norm_and_bias=False,
        schedule="step",
        milestones=options.milestones,
        warmup_epochs=options.warmup / options.iterations,
        precision="float32",
    )


def _three(values: Sequence[float]) -> tuple[float, ...]:
    """Of grey images three equal channels."""
    return tuple(values) if len(values) == 3 else tuple(values) * 3
