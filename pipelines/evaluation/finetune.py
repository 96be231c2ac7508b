"""Fine-tuning: the whole encoder trained with few or all labels, from pretrained weights or from scratch.

Differs from MAE's recipe: no RandAugment, mixup, cutmix, random erasing or drop path.
"""

import numpy as np

from pipelines.errors import InputError
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.workbench import Outcome, Rows, Workbench
from pipelines.randomness import numpy_generator
from pipelines.spec.evaluation.finetune import Options


def measure(options: Options, bench: Workbench) -> Outcome:
    """Train on the labelled share; top1, top5 and mean_per_class on test. Nothing is chosen."""
    rows = labelled_rows(bench, options.label_share)
    base = bench.base(options.head_layers)
    classifier = Classifier(base.encoder, base.head, base.width, bench.num_classes, options.label_smoothing)
    derived = bench.fit(classifier, options, rows)
    return Outcome(
        accuracies(*bench.test(classifier)), {**derived, "labels": len(rows), "images": len(rows)}, classifier
    )


def labelled_rows(bench: Workbench, share: float) -> Rows:
    """Sorted positions in train whose labels may be used: ``share`` of every class, at least one image, drawn by seed."""
    label = bench.train_label
    if not (label >= 0).any():
        raise InputError(
            "finetune: no image of train has a label, and fine-tuning needs some; evaluate on labelled data"
        )
    draw = numpy_generator(bench.seed, "labels")
    chosen = []
    for number in range(bench.num_classes):
        rows = np.flatnonzero(label == number)
        chosen.append(draw.permutation(rows)[: max(1, round(share * len(rows)))])
    return np.sort(np.concatenate(chosen))
