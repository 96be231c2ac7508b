"""Distillation: a student from scratch learns a fine-tuned teacher's predictions (Chen et al. 2020, arXiv:2006.10029,
step 3), on all images of train, labelled or not."""

import numpy as np

from pipelines.evaluation.classifier import Classifier, Distilled
from pipelines.evaluation.finetune import labelled_rows
from pipelines.evaluation.workbench import Outcome, Workbench, as_mask
from pipelines.spec.evaluation.distill import Options


def measure(options: Options, bench: Workbench) -> Outcome:
    """Train the student; top1, top5 and mean_per_class on test. Nothing is chosen. InputError: too few images."""
    options.check_counts(bench.counts)
    labelled, every = labelled_rows(bench, options.teacher.amount), np.arange(len(bench.train_label))
    student = bench.fresh(options.student)
    method = Distilled(
        Classifier(student.encoder, student.head, student.width, bench.num_classes),
        bench.teacher(options.teacher.head_layers, options.teacher.final_norm),
        as_mask(labelled, len(every)),
        temperature=options.temperature,
        label_weight=options.label_weight,
        squared=options.squared_scale,
    )
    derived = bench.fit(method, options, every)
    return Outcome.on_test(bench, method, {**derived, "labels": len(labelled), "images": len(every)})
