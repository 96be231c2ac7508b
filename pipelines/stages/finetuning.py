"""Protocols on images: fine-tune pretrained weights with labels, or distil a fine-tuned teacher into a student."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.features import evaluating
from pipelines.files import replacing
from pipelines.methods.classifier import Classifier, Distilled
from pipelines.randomness import numpy_generator, seed_for
from pipelines.records import read_record
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.finetuning import Distill, FineTune, OnImages
from pipelines.spec.parse import parse
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views
from pipelines.stages.job import JobFolder
from pipelines.stages.parts import (
    build_method,
    chosen_device,
    facts_of,
    in_order,
    loader,
    plain_views,
    untrained_encoder,
)
from pipelines.training.loop import Trainer
from pipelines.views.maker import ViewMaker

WEIGHTS = "classifier.safetensors"


class Base(NamedTuple):
    """Where a classifier starts: an encoder, the kept head layers and their output width, the views its images take."""

    encoder: Encoder
    head: nn.Module
    width: int
    recipe: Views


def run(job: JobFolder, options: FineTune | Distill) -> tuple[dict[str, float], dict[str, Any]]:
    """Train and test; (metrics on test, derived numbers). The classifier's weights stay in the job's folder."""
    shards, seed = open_shards(job.inputs["shards"]), int(job.spec["seed"])
    teacher_options = options if isinstance(options, FineTune) else options.teacher
    labelled = labelled_rows(shards, teacher_options.label_share, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed_for(seed, "classifier"))
        if isinstance(options, FineTune):
            method, recipe = _fine_tuned(job, options, shards)
            rows = labelled
        else:
            method, recipe = _distilled(job, options, shards, labelled)
            rows = np.arange(shards.index.count("train"))
    trained = _trainer(job, options, method, shards, rows).fit()
    with replacing(job.path / WEIGHTS) as part:
        student = {
            name: value for name, value in method.state_dict().items() if not name.startswith(("teacher.", "labelled"))
        }
        save_file({name: value.contiguous() for name, value in student.items()}, part)
    return _tested(method, shards, recipe), {**trained.derived, "labels": len(labelled), "images": len(rows)}


def labelled_rows(shards: ShardSet, share: float, seed: int) -> NDArray[np.int64]:
    """Sorted positions in train whose labels may be used: ``share`` of every class, at least one image, drawn by seed."""
    label = shards.table("train").label
    if not (label >= 0).any():
        raise InputError(f"{shards.folder}: no image of train has a label; fine-tuning needs some")
    draw = numpy_generator(seed, "labels")
    chosen = []
    for number in range(len(shards.class_names)):
        rows = np.flatnonzero(label == number)
        chosen.append(draw.permutation(rows)[: max(1, round(share * len(rows)))])
    return np.sort(np.concatenate(chosen))


def _trainer(
    job: JobFolder, options: OnImages, method: Classifier, shards: ShardSet, rows: NDArray[np.int64]
) -> Trainer:
    given = {**options.training(), "batch_size": min(options.batch_size, len(rows))}
    training = Training(
        **given, layer_decay=getattr(options, "layer_decay", None), precision="auto", decay_norm_and_bias=False
    )
    views = Views(
        augmentations=(Augmentation(scale=options.crop, flip=options.flip, jitter_prob=0.0, grayscale=0.0, blur=0.0),)
    )
    order = Order(batch_size=training.batch_size, seed=int(job.spec["seed"]))
    device, index = chosen_device(), shards.index
    return Trainer(
        method=method,
        data=loader(shards, "train", order, device, subset=rows),
        make_views=ViewMaker(views, index.image_size, index.mean, index.std),
        training=training,
        seed=int(job.spec["seed"]),
        device=device,
        out=job.path,
    )


def _fine_tuned(job: JobFolder, options: FineTune, shards: ShardSet) -> tuple[Classifier, Views]:
    base = _base(job, options.head_layers, shards)
    smoothing = options.label_smoothing
    return Classifier(base.encoder, base.head, base.width, len(shards.class_names), smoothing), base.recipe


def _base(job: JobFolder, head_layers: int, shards: ShardSet) -> Base:
    if "weights" not in job.inputs:  # trained from scratch: what pretraining has to beat
        encoder = untrained_encoder(job.spec, shards.index.image_size)
        return Base(encoder, nn.Identity(), encoder.width, Views())
    return pretrained_base(job.inputs["weights"], head_layers)


def pretrained_base(weights: Path, head_layers: int) -> Base:
    """The encoder of a finished pretraining and the first layers of its head, loaded strictly."""
    record = read_record(weights)
    facts = facts_of(open_shards(weights.parents[1] / "shards" / record.inputs["shards"]))
    method = build_method(record.spec, facts)
    recipe: Views = parse(Views, record.spec["views"], "views")
    method.encoder.load_state_dict(load_file(weights / "encoder.safetensors"), strict=True)
    if not head_layers:
        return Base(method.encoder, nn.Identity(), method.encoder.width, recipe)
    head = method.get_submodule("head")
    assert isinstance(head, nn.Sequential), "planning lets only layered heads through"
    head.load_state_dict(load_file(weights / "head.safetensors"), strict=True)
    kept = head[:head_layers]
    last = [module for module in kept.modules() if isinstance(module, nn.Linear)][-1]
    return Base(method.encoder, kept, last.out_features, recipe)


def _distilled(
    job: JobFolder, options: Distill, shards: ShardSet, labelled: NDArray[np.int64]
) -> tuple[Distilled, Views]:
    record = read_record(job.inputs["teacher"])
    weights = job.inputs["teacher"].parents[1] / "pretrain" / record.inputs["weights"]
    base, classes = pretrained_base(weights, options.teacher.head_layers), len(shards.class_names)
    teacher = Classifier(base.encoder, base.head, base.width, classes)
    teacher.load_state_dict(load_file(job.inputs["teacher"] / WEIGHTS), strict=True)
    kind = options.student.model_dump(mode="json") if options.student else read_record(weights).spec["encoder"]
    encoder = untrained_encoder({"encoder": kind, "seed": job.spec["seed"]}, shards.index.image_size)
    parse(AnyEncoder, kind, "student")
    known = torch.zeros(shards.index.count("train"), dtype=torch.bool)
    known[torch.from_numpy(labelled)] = True
    method = Distilled(
        Classifier(encoder, nn.Identity(), encoder.width, classes),
        teacher,
        known,
        temperature=options.temperature,
        label_weight=options.label_weight,
        squared=options.squared_scale,
    )
    return method, base.recipe


@torch.no_grad()
def _tested(method: Classifier, shards: ShardSet, recipe: Views) -> dict[str, float]:
    """top1, top5 and mean_per_class on the labelled test images."""
    device = chosen_device()
    label = torch.as_tensor(shards.table("test").label)
    with evaluating(method):
        views = plain_views(loader(shards, "test", in_order(), device), recipe, shards, device)
        scores = torch.cat([method.logits(images).cpu() for images in views])
    return accuracies(scores[label >= 0], label[label >= 0])
