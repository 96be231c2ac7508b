"""The ceiling: a study's network trained with the labels of the same images, an upper reference beside the floors."""

from pipelines.spec.datasets.base import DataSet
from pipelines.spec.labels import Labels
from pipelines.spec.resolve import Run, resolve
from pipelines.spec.study import Study


def ceiling_of(study: Study, runs: list[Run], dataset: DataSet) -> Run | None:
    """The study's ceiling on a data set that its runs are pretrained on; None where there is none to have.

    Its network, and the file of weights that this begins with, are those of the first run, unless the entry names its
    own: a recipe's encoder does not count. The study's grid leaves it alone. None without runs, where not every image
    has a label, and where a recipe for one kind of network would train another as it stands: ten epochs without warm-up left
    a micro ViT on digits below its random start (51 % by kNN), which is no ceiling. Settings in the entry change that.
    """
    entry = study.ceiling
    if entry is None or not runs or not Labels.of(study).everywhere(dataset):
        return None
    first, recipe = runs[0], entry.recipe
    if entry.encoder is None or (recipe and entry.encoder == recipe.encoder):
        if recipe and recipe.encoder and recipe.encoder.use != first.encoder.use and not entry.training:
            return None
        entry = entry.model_copy(update={"encoder": first.encoder, "start": entry.start or first.start})
    return resolve(study, entry, {}, dataset)
