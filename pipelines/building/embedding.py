"""The features that several protocols of one encoder share within a process, or across processes where they are kept."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.building.devices import chosen_device, device_with_room
from pipelines.building.features import embedded
from pipelines.building.methods import Pretrained
from pipelines.building.subject import Subject
from pipelines.code import sources_of
from pipelines.errors import InputError
from pipelines.evaluation.diagnostics import diagnose
from pipelines.evaluation.features import Features
from pipelines.evaluation.zero_shot import ImagesAndTexts
from pipelines.files import digest
from pipelines.methods.clip import CLIP
from pipelines.records import read_record
from pipelines.sources.reader import ShardSet
from pipelines.spec.folder import JobFolder
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.layout import features_file

ROOM = 3
"""Times its features that a protocol takes on a GPU: they themselves, a scaled copy, and what it works with. Where there is not
so much, they stay mapped on the CPU, which works on them in blocks."""


@dataclass(frozen=True)
class Embedding:
    """One encoder's features of one data set on the device, and what they were made from. seconds: to make them."""

    name: str
    features: Features
    shards: ShardSet
    trained: Pretrained | None
    seconds: float
    diagnosed: dict[str, float]
    """How the features spread and how classes lie in them; see ``evaluation.diagnostics``."""

    def with_texts(self, templates: tuple[str, ...] | None) -> ImagesAndTexts:
        """Test images and class names in the common space of a method with a text tower."""
        method = self.trained.method(whole=True) if self.trained else None
        assert isinstance(method, CLIP), "planning gives protocols on texts the weights of a method that reads them"
        method.to(self.features.test.device).eval()
        with torch.no_grad():
            return ImagesAndTexts(
                image=method.image_embeddings(self.features.test),
                label=self.features.test_label,
                text=method.class_embeddings(self.shards.class_names, templates),
            )


def embedding_of(job: JobFolder[EvaluateSpec], last: Embedding | None) -> Embedding:
    """What a job measures: the last one again when it is the same, else read from disk where kept, else embedded anew."""
    name = job.spec.features_key(job.input_keys)
    if last is not None and last.name == name:
        return last
    clock, subject = time.perf_counter(), Subject.of(job)
    shards = subject.shards
    kept, made_from = features_file(job.results, name), _made_from(name, shards, job.inputs.get("weights"))
    features = _kept(kept, made_from)
    if features is None:
        features = features_of(subject, kept.parent)
        if job.spec.keep_features or kept.exists():
            features.save(kept, made_from, {split: _labelled_ids(shards, split) for split in ("train", "test")})
    seconds = time.perf_counter() - clock
    device = device_with_room(ROOM * features.bytes)
    return Embedding(name, features.to(device), shards, subject.trained, seconds, diagnose(features))


def features_of(subject: Subject, scratch: Path | None = None) -> Features:
    """Embedded now, and every number finite; scratch: see ``embedded``."""
    read = subject.spec.features_read
    found = embedded(subject.source(), subject.shards, chosen_device(), scratch, read)
    found.check()
    return found


def _made_from(name: str, shards: ShardSet, weights: Path | None) -> str:
    """The features' name, then a digest of images, weights and code: those of the same name made from others are stale."""
    encoder = read_record(weights).files.get("encoder") if weights else None
    code = sources_of({"pipelines.building.features"}).digest
    return f"{name} {digest([shards.index.fingerprint, encoder.sha256 if encoder else None, code], 16)}"


def _kept(path: Path, made_from: str) -> Features | None:
    """The features on disk; none where they are missing, damaged or stale, which is told."""
    if not path.exists():
        return None
    try:
        return Features.load(path, made_from)
    except InputError as error:
        print(f"embedded anew: {error}", flush=True)
        return None


def _labelled_ids(shards: ShardSet, split: str) -> NDArray[np.bytes_]:
    """The names of the images that have features, in their order."""
    table = shards.table(split)
    return table.key[table.label >= 0]
