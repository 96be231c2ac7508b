"""Fine-tuning: the whole encoder trained with few or all labels, from pretrained weights or from scratch.

Mixup, cutmix and stochastic depth are torchvision's, RandAugment and erasing too, drawn for an image at a time (``strong``);
layer decay is timm's.
"""

from functools import partial

from pipelines.encoders.drop_path import set_drop_path
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.evaluation.labelled import evaluation_seed, few_labels
from pipelines.evaluation.mixed import Mixed
from pipelines.evaluation.strong import StrongViews
from pipelines.evaluation.workbench import Outcome, Rows, Workbench, as_they_are
from pipelines.spec.evaluation.finetune import Options


def measure(options: Options, bench: Workbench) -> Outcome:
    """Train on the labelled share; top1, top5 and mean_per_class on test. Nothing is chosen. InputError: too few images."""
    options.check_counts(bench.counts)
    rows = labelled_rows(bench, options.amount)
    base = bench.base(options.head_layers)
    if options.drop_path:
        if not isinstance(base.encoder, ViT):
            raise InputError(
                "evaluation.finetune.drop_path: only a ViT has blocks to leave branches out of; leave it out"
            )
        set_drop_path(base.encoder, options.drop_path)
    head = base.normed(options.final_norm)
    classifier = Mixed(
        base.encoder, head, base.width, bench.num_classes, options.label_smoothing, options.mixup, options.cutmix
    )
    strong = partial(StrongViews, magnitude=options.randaugment, erasing=options.erasing)
    derived = bench.fit(classifier, options, rows, strong if options.randaugment or options.erasing else as_they_are)
    return Outcome.on_test(bench, classifier, {**derived, "labels": len(rows), "images": len(rows)})


def labelled_rows(bench: Workbench, amount: float) -> Rows:
    """Sorted positions in train whose labels may be used: see ``few_labels``."""
    return few_labels(bench.train_label, bench.num_classes, amount, evaluation_seed(bench.seed))
