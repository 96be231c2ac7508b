"""What an encoder takes and gives, as the files that MLflow keeps beside a model: MLmodel and an input example."""

import functools
import json
from pathlib import Path

from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.types import Schema, TensorSpec
from numpy import dtype

from pipelines.files import write_text
from pipelines.tracking.content import TrackedImages

EXAMPLE = "input_example.json"
FLAVOUR = "safetensors"
"""MLflow's loaders look for their own: this one says to readers where the weights are."""


def describe(folder: Path, model: LoggedModel, images: TrackedImages, weights: dict[str, str]) -> None:
    """Write MLmodel and the example into a folder. weights: where they are, and how they are read."""
    numbers = dtype("float32")
    signature = ModelSignature(Schema([TensorSpec(numbers, images.shape)]), Schema([TensorSpec(numbers, (-1, -1))]))
    shown = {"artifact_path": EXAMPLE, "type": "ndarray", "format": "tf-serving"}
    made = Model(
        artifact_path=model.artifact_location,
        run_id=model.source_run_id,
        flavors={FLAVOUR: weights},
        signature=signature,
        saved_input_example_info=shown,
        model_id=model.model_id,
    )
    write_text(folder / EXAMPLE, _example(images))
    write_text(folder / MLMODEL_FILE_NAME, made.to_yaml())


@functools.lru_cache(maxsize=8)
def _example(images: TrackedImages) -> str:
    """One image in the mean colour of its data set, which normalised is zero everywhere."""
    row = [0.0] * images.side
    return json.dumps([[[row] * images.side] * images.channels], separators=(",", ":"))
