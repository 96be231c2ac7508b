"""Which data sets of a study are known to have no labels, and what cannot be done on those."""

from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.methods import options_class
from pipelines.spec.study import Study

WAY_OUT = "add a labelled data set with role: target under datasets; encoders are then measured on that"


@dataclass(frozen=True)
class Labels:
    """unlabelled: names of the data sets without labels, as far as that can be seen before packing."""

    study: Study
    unlabelled: frozenset[str]

    @classmethod
    def of(cls, study: Study) -> "Labels":
        """Look at every data set of a study."""
        return cls(study, frozenset(data.short_name for data in study.all_datasets if data.without_labels))

    def evaluated_on(self, dataset: DataSet) -> list[DataSet]:
        """Where encoders that were pretrained on this one are measured: on itself if it has labels, and on the targets."""
        own = [] if dataset.short_name in self.unlabelled else [dataset]
        return [*own, *self.study.targets]

    def check(self, dataset: DataSet) -> None:
        """InputError where pretraining on a data set, or measuring the encoder, needs labels that are not there."""
        for target in self.study.targets:
            if target.short_name in self.unlabelled:
                raise InputError(
                    f"datasets: the target {target.short_name} has no labels, or one class only; {WAY_OUT}"
                )
        name = dataset.short_name
        if name not in self.unlabelled:
            return
        if not self.study.targets:
            asked = ", ".join(evaluation.use for evaluation in self.study.evaluation)
            raise InputError(
                f"evaluation: {name} has no labels, or one class only, and {asked} would need more; {WAY_OUT}"
            )
        if self.study.tuning:
            raise InputError(
                f"tuning: its objective, an accuracy on the held-out slice, needs labels, and {name} has none to tell apart"
            )
        for entry in self.study.methods:
            if options_class(entry.use).needs_labels:
                raise InputError(
                    f"methods: {entry.label} trains on labels, and {name} has none to tell apart; leave the method out"
                )
