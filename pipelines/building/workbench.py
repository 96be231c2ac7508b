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

from pipelines import distributed
from pipelines.building.devices import chosen_device
from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.building.methods import fresh_encoder
from pipelines.building.subject import Subject
from pipelines.errors import InputError
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.features import evaluating
from pipelines.evaluation.workbench import Base, MakeViews, as_they_are
from pipelines.files import replacing
from pipelines.methods.base import Method
from pipelines.records import TRAINING_SECONDS, checked_file, read_record
from pipelines.signals import Stop
from pipelines.sources.order import Order
from pipelines.spec.counts import Counts
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.parts import OnImages
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views
from pipelines.training.loop import Trainer

WEIGHTS = "classifier.safetensors"


@dataclass
class JobBench:
    """The images of a data set and the weights of an encoder; see ``evaluation.workbench``."""

    subject: Subject
    wanted: Wanted
    stop: Stop
    say: Callable[[str], None]

    @classmethod
    def of(cls, subject: Subject, stop: Stop, say: Callable[[str], None]) -> "JobBench":
        """What protocols that train on a subject's images work with.

        stop: they save, and leave by Stopped. say: called with a line now and then.
        """
        return cls(subject, subject.source().wanted, stop, say)

    @property
    def train_label(self) -> NDArray[np.int64]:
        """Class numbers of train, -1 where there is none."""
        return self.subject.shards.table("train").label

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.subject.shards.class_names)

    @property
    def counts(self) -> Counts:
        """Labelled images of each class."""
        train, test = self.train_label, self.subject.shards.table("test").label
        labels = (train, train[self.holdout], test)
        of_all, held, of_test = (
            tuple(np.bincount(label[label >= 0], minlength=self.num_classes).tolist()) for label in labels
        )
        return Counts(of_all, held, of_test, self.subject.shards.class_names)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.subject.spec.seed

    def base(self, head_layers: int) -> Base:
        """The encoder that is evaluated, loaded strictly, with the first layers of its head."""
        trained = self.subject.trained
        if trained is None:  # trained from scratch: what pretraining has to beat
            encoder = self.subject.source().encoder
            assert encoder is not None, "planning gives raw pixels no protocol on images"
            return Base(encoder, nn.Identity(), encoder.width)
        method = trained.method()
        if not head_layers:
            return Base(method.encoder, nn.Identity(), method.encoder.width)
        return Base(method.encoder, *trained.head(method, head_layers))

    def fresh(self, encoder: EncoderOptions | None) -> Base:
        """An encoder drawn from the seed, of the given kind or of the pretrained one's."""
        trained = self.subject.trained
        assert trained is not None, "planning distils trained encoders only"
        size, kind = trained.shards.index.image_size, encoder or trained.spec.encoder
        made = fresh_encoder(kind, size, self.seed, self.wanted.channels)
        return Base(made, nn.Identity(), made.width)

    def teacher(self, head_layers: int, final_norm: bool) -> Classifier:
        """The classifier that the teacher's job left, loaded strictly."""
        job = self.subject.teacher
        assert job is not None, "planning gives distillation its teacher"
        base = self.base(head_layers)
        classifier = Classifier(base.encoder, base.normed(final_norm), base.width, self.num_classes)
        file = checked_file(read_record(job), job, "classifier")
        classifier.load_state_dict(load_file(file), strict=True)
        return classifier

    @property
    def holdout(self) -> NDArray[np.int64]:
        """Positions in train that are kept for choosing."""
        return self.subject.shards.holdout

    def whole(self, rows: NDArray[np.int64]) -> Iterator[Tensor]:
        """These images of train, whole and unchanged, in batches."""
        device = chosen_device()
        return plain_views(loader(self.subject.shards, "train", in_order(), device, subset=rows), self.wanted, device)

    def fit(
        self,
        method: Method,
        options: OnImages,
        rows: NDArray[np.int64],
        changed: Callable[[MakeViews], MakeViews] = as_they_are,
    ) -> dict[str, Any]:
        """Train on these images, on views that ``changed`` makes of the crops; every process on its part of each batch."""
        given = {**options.training(), "batch_size": min(options.batch_size, len(rows))}
        rank, world = distributed.rank(), distributed.world_size()
        if given["batch_size"] % world:
            raise InputError(
                f"evaluation.{options.use}: {given['batch_size']} images a step, of {len(rows)} and a batch_size of "
                f"{options.batch_size}, cannot be shared evenly by {world} processes; start it with fewer --processes "
                "(in a workflow: gpus_per_job)"
            )
        decay = getattr(options, "layer_decay", None)
        training = Training(**given, layer_decay=decay, precision="auto", decay_norm_and_bias=False)
        plain = Augmentation(jitter_prob=0.0, grayscale=0.0, blur=0.0, colour=self.wanted.recipe.kinds[0].colour)
        crop = plain.model_copy(update={"scale": options.crop, "flip": options.flip})
        device, wanted = chosen_device(), self.wanted
        make = wanted.maker_of(Views(augmentations=(crop,)))
        order = Order(batch_size=training.batch_size, seed=self.seed, rank=rank, world_size=world)
        trainer = Trainer(
            method=method,
            data=loader(self.subject.shards, "train", order, device, subset=rows),
            make_views=changed(make),
            training=training,
            seed=self.seed,
            device=device,
            out=self.subject.out,
            job=self.subject.out.name,
            stop=self.stop,
            sound=lambda: self.subject.shards.check_unchanged("train"),
            say=self.say,
        )
        with self.stop.deferred():
            trained = trainer.fit()
        return {**trained.derived, "processes": world, TRAINING_SECONDS: trained.clock.training}

    @torch.no_grad()
    def test(self, classifier: Classifier) -> tuple[Tensor, Tensor]:
        """Scores and labels of the labelled test images."""
        device = chosen_device()
        label = torch.as_tensor(self.subject.shards.table("test").label)
        with evaluating(classifier):
            views = plain_views(loader(self.subject.shards, "test", in_order(), device), self.wanted, device)
            scores = torch.cat([classifier.logits(images).cpu() for images in views])
        self.subject.shards.check_unchanged("test")
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
