"""The workbench of protocols that train on images, put together from an evaluation's job."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.building.devices import chosen_device
from pipelines.building.features import source_of
from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.building.methods import (
    fresh_encoder,
    packed,
    pretrained_head,
    pretrained_method,
    pretrained_spec,
    pretraining_shards,
)
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.workbench import Base, MakeViews, as_they_are
from pipelines.files import replacing
from pipelines.methods.base import Method
from pipelines.records import checked_file, read_record
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.spec.counts import Counts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.parts import OnImages
from pipelines.spec.folder import JobFolder
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views
from pipelines.training.loop import Trainer

WEIGHTS = "classifier.safetensors"


@dataclass
class JobBench:
    """The data set and the weights that a job names; see ``evaluation.workbench``. Checkpoints go to ``out``."""

    spec: EvaluateSpec
    shards: ShardSet
    weights: Path | None
    teacher_job: Path | None
    wanted: Wanted
    out: Path

    @classmethod
    def of(cls, job: JobFolder[EvaluateSpec]) -> "JobBench":
        """The bench of one job."""
        shards, teacher = packed(job.inputs["shards"]), job.inputs.get("teacher")
        weights = job.inputs.get("weights")
        if teacher is not None:
            weights = teacher.parents[1] / "pretrain" / read_record(teacher).inputs["weights"]
        return cls(job.spec, shards, weights, teacher, source_of(job.spec, shards, weights).wanted, job.path)

    @property
    def train_label(self) -> NDArray[np.int64]:
        """Class numbers of train, -1 where there is none."""
        return self.shards.table("train").label

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.shards.class_names)

    @property
    def counts(self) -> Counts:
        """Labelled images of each class."""
        train, test = self.train_label, self.shards.table("test").label
        labels = (train, train[self.holdout], test)
        of_all, held, of_test = (
            tuple(np.bincount(label[label >= 0], minlength=self.num_classes).tolist()) for label in labels
        )
        return Counts(of_all, held, of_test, self.shards.class_names)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.spec.seed

    def base(self, head_layers: int) -> Base:
        """The encoder that is evaluated, loaded strictly, with the first layers of its head."""
        if self.weights is None:  # trained from scratch: what pretraining has to beat
            encoder = source_of(self.spec, self.shards, None).encoder
            assert encoder is not None, "planning gives raw pixels no protocol on images"
            return Base(encoder, nn.Identity(), encoder.width)
        method = pretrained_method(self.weights)
        if not head_layers:
            return Base(method.encoder, nn.Identity(), method.encoder.width)
        return Base(method.encoder, *pretrained_head(self.weights, method, head_layers))

    def fresh(self, encoder: EncoderOptions | None) -> Base:
        """An encoder drawn from the seed, of the given kind or of the pretrained one's."""
        assert self.weights is not None, "planning distils trained encoders only"
        size = pretraining_shards(self.weights).index.image_size
        kind = encoder or pretrained_spec(self.weights).encoder
        made = fresh_encoder(kind, size, self.seed, self.wanted.channels)
        return Base(made, nn.Identity(), made.width)

    def teacher(self, head_layers: int, final_norm: bool) -> Classifier:
        """The classifier that the teacher's job left, loaded strictly."""
        assert self.teacher_job is not None, "planning gives distillation its teacher"
        base = self.base(head_layers)
        classifier = Classifier(base.encoder, base.normed(final_norm), base.width, self.num_classes)
        file = checked_file(read_record(self.teacher_job), self.teacher_job, "classifier")
        classifier.load_state_dict(load_file(file), strict=True)
        return classifier

    @property
    def holdout(self) -> NDArray[np.int64]:
        """Positions in train that are kept for choosing."""
        return self.shards.holdout

    def whole(self, rows: NDArray[np.int64]) -> Iterator[Tensor]:
        """These images of train, whole and unchanged, in batches."""
        device = chosen_device()
        return plain_views(loader(self.shards, "train", in_order(), device, subset=rows), self.wanted, device)

    def fit(
        self,
        method: Method,
        options: OnImages,
        rows: NDArray[np.int64],
        changed: Callable[[MakeViews], MakeViews] = as_they_are,
    ) -> dict[str, Any]:
        """Train on these images, on views that ``changed`` makes of the crops."""
        given = {**options.training(), "batch_size": min(options.batch_size, len(rows))}
        decay = getattr(options, "layer_decay", None)
        training = Training(**given, layer_decay=decay, precision="auto", decay_norm_and_bias=False)
        plain = Augmentation(jitter_prob=0.0, grayscale=0.0, blur=0.0, colour=self.wanted.recipe.kinds[0].colour)
        crop = plain.model_copy(update={"scale": options.crop, "flip": options.flip})
        device, wanted = chosen_device(), self.wanted
        make = wanted.maker_of(Views(augmentations=(crop,)))
        order = Order(batch_size=training.batch_size, seed=self.seed)
        trained = Trainer(
            method=method,
            data=loader(self.shards, "train", order, device, subset=rows),
            make_views=changed(make),
            training=training,
            seed=self.seed,
            device=device,
            out=self.out,
            job=self.out.name,
            sound=lambda: self.shards.check_unchanged("train"),
        ).fit()
        return trained.derived

    @torch.no_grad()
    def test(self, classifier: Classifier) -> tuple[Tensor, Tensor]:
        """Scores and labels of the labelled test images."""
        device = chosen_device()
        label = torch.as_tensor(self.shards.table("test").label)
        with evaluating(classifier):
            views = plain_views(loader(self.shards, "test", in_order(), device), self.wanted, device)
            scores = torch.cat([classifier.logits(images).cpu() for images in views])
        self.shards.check_unchanged("test")
        return scores[label >= 0], label[label >= 0]


def save_classifier(classifier: Classifier, path: Path) -> None:
    """The student's own weights: not its teacher's, nor which images have labels."""
    kept = {
        name: value.contiguous()
        for name, value in classifier.state_dict().items()
        if not name.startswith(("teacher.", "labelled"))
    }
    with replacing(path) as part:
        save_file(kept, part)
