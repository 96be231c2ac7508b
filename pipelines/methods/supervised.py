"""Supervised training: cross entropy over the classes, the upper reference in the same loop with the same encoder."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.supervised import Options


class Supervised(Method):
    """encoder and a linear classifier."""

    def __init__(self, options: Options, encoder: Encoder, classifier: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.classifier = options, encoder, classifier

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). InputError when a sample has no label; the scalar top1 is the batch's, in [0, 1]."""
        (view,) = views
        if progress.epoch < 1:  # each sample is met then; asking the device later would only hold it up
            _check_labels(batch)
        features = self.encoder(view)
        logits = at_least_float32(self.classifier(features))
        with full_precision(logits.device):
            loss = F.cross_entropy(logits, batch.label, label_smoothing=self.options.label_smoothing)
        top1 = (logits.detach().argmax(dim=1) == batch.label).to(logits.dtype).mean()
        embeddings = F.normalize(at_least_float32(features.detach()), dim=1)
        return Output(loss, {"top1": top1}, {"embeddings": embeddings})


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> Supervised:
    """A classifier over a fresh encoder; InputError when the data set has fewer than two classes."""
    if facts.num_classes < 2:
        raise InputError(
            f"supervised: the data set has {facts.num_classes} classes, training on labels needs at least 2; "
            "give the data labels (cls members, class folders) or leave this method out"
        )
    encoder = make_encoder()
    return Supervised(options, encoder, nn.Linear(encoder.width, facts.num_classes))


def _check_labels(batch: Batch) -> None:
    missing = int(torch.count_nonzero(batch.label < 0))
    if missing:
        raise InputError(
            f"supervised: {missing} of {len(batch)} images of a batch have no label (-1); train on labelled images "
            "only (stl10: unlabelled: false), or leave this method out"
        )
