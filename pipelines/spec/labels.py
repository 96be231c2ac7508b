"""Which data sets of a study are known to have no labels, and what cannot be done on those."""

from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.methods import options_class
from pipelines.spec.study import Study
from pipelines.spec.tuning import Judged

WAY_OUT = (
    "give its images labels (class folders, cls members of tars; tables of labels beside images are not read), or add a "
    "labelled data set with role: target under datasets; encoders are then measured on that"
)

WHERE = {
    "captions": ("captions", "coco_captions, or tars with txt members (webdataset)"),
    "label_sets": ("images of several labels", "voc"),
    "masks": ("masks", "voc_segmentation"),
    "boxes": ("boxes", "voc_detection"),
}
"""What else a protocol may measure against: in words, and which data sets have it."""


@dataclass(frozen=True)
class Labels:
    """unlabelled: names of the data sets without labels, as far as that can be seen before packing."""

    study: Study
    unlabelled: frozenset[str]

    @classmethod
    def of(cls, study: Study) -> "Labels":
        """Look at every data set of a study."""
        return cls(study, frozenset(data.short_name for data in study.all_datasets if data.without_labels))

    def fits(self, evaluation: Protocol, dataset: DataSet) -> bool:
        """Whether a data set has what a protocol measures against, as far as planning can know."""
        if evaluation.targets == "labels":
            return dataset.short_name not in self.unlabelled
        return evaluation.targets in dataset.beside

    def everywhere(self, dataset: DataSet) -> bool:
        """Whether every image of train has a label to train on, as far as planning can know."""
        return dataset.short_name not in self.unlabelled and not dataset.partly_labelled

    def evaluated_on(self, dataset: DataSet) -> list[DataSet]:
        """Where encoders pretrained on this one are measured, if by one protocol only: on itself and on the targets."""
        places = (dataset, *self.study.targets)
        return [each for each in places if any(self.fits(one, each) for one in self.study.evaluation)]

    def check(self, dataset: DataSet) -> None:
        """InputError where pretraining on a data set, or measuring the encoder, needs what is not there."""
        measured = self.evaluated_on(dataset)
        for target in self.study.targets:
            if target not in measured:
                raise InputError(
                    f"datasets: the target {target.short_name} has no labels, or one class only; {WAY_OUT}"
                )
        for i, evaluation in enumerate(self.study.evaluation):
            what, where = WHERE.get(evaluation.targets, ("", ""))
            if what and not any(self.fits(evaluation, each) for each in self.study.all_datasets):
                raise InputError(
                    f"evaluation[{i}]: {evaluation.use} needs {what}, and no data set of the study has any; take {where}, or "
                    "leave the evaluation out"
                )
        self._check_tuning(dataset)
        self._check_methods(dataset)
        name = dataset.short_name
        if name not in self.unlabelled:
            return
        asked = [each.use for each in self.study.evaluation if not any(self.fits(each, place) for place in measured)]
        if asked:
            raise InputError(
                f"evaluation: {name} has no labels, or one class only, and {', '.join(asked)} would need more; {WAY_OUT}"
            )

    def _check_methods(self, dataset: DataSet) -> None:
        name = dataset.short_name
        for entry in self.study.methods if not self.everywhere(dataset) else ():
            if options_class(entry.use).needs_labels:
                lacks = f"{name} has none to tell apart; leave the method out"
                if dataset.partly_labelled:
                    lacks = f"some images of {name} have none; take those with labels alone (unlabelled: false)"
                raise InputError(f"methods: {entry.label} trains on labels, and {lacks}")

    def _check_tuning(self, dataset: DataSet) -> None:
        tuning, name = self.study.tuning, dataset.short_name
        if not tuning:
            return
        unlabelled = name in self.unlabelled
        if isinstance(tuning.objective, Judged):
            by = tuning.objective.by
            what, where = WHERE.get(by.targets, ("labels to tell apart", "a data set with labels"))
            if not self.fits(by, dataset):
                raise InputError(
                    f"tuning.objective: {by.use} needs {what}, and {name} has none; tune on {where}, or by "
                    "another protocol"
                )
        elif unlabelled:
            raise InputError(
                f"tuning: its objective, kNN of the held-out slice, needs labels, and {name} has none to tell apart; say by "
                "another protocol what trials are judged by (tuning.objective)"
            )
        if unlabelled and tuning.reads_every:
            how = "rungs" if tuning.rungs else "prune_below"
            raise InputError(
                f"tuning.{how}: stops trials by online kNN, which needs labels, and {name} has none to tell apart; leave it out"
            )
