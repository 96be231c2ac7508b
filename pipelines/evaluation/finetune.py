"""Fine-tuning: the whole encoder trained with few or all labels, from pretrained weights or from scratch.

Differs from MAE's recipe: no RandAugment, mixup, cutmix, random erasing or drop path.
"""

import numpy as np

from pipelines.errors import InputError
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.labelled import evaluation_seed, few_labels
from pipelines.evaluation.workbench import Outcome, Rows, Workbench
from pipelines.spec.evaluation.finetune import Options


def measure(options: Options, bench: Workbench) -> Outcome:
    """Train on the labelled share; top1, top5 and mean_per_class on test. Nothing is chosen."""
    rows = labelled_rows(bench, options.amount)
    base = bench.base(options.head_layers)
    classifier = Classifier(base.encoder, base.head, base.width, bench.num_classes, options.label_smoothing)
    derived = bench.fit(classifier, options, rows)
    return Outcome(
        accuracies(*bench.test(classifier)), {**derived, "labels": len(rows), "images": len(rows)}, classifier
    )


def labelled_rows(bench: Workbench, amount: float) -> Rows:
    """Sorted positions in train whose labels may be used: see ``few_labels``. InputError where a class has too few."""
    label = bench.train_label
    if not (label >= 0).any():
        raise InputError(
            "finetune: no image of train has a label, and fine-tuning needs some; evaluate on labelled data"
        )
    counts = np.bincount(label[label >= 0], minlength=bench.num_classes)
    if isinstance(amount, int) and counts.min() < amount:
        raise InputError(
            f"evaluation.finetune.labels_per_class: {amount} images asked for, but class {counts.argmin()} has "
            f"{counts.min()} in train; ask for fewer"
        )
    return few_labels(label, bench.num_classes, amount, evaluation_seed(bench.seed))
