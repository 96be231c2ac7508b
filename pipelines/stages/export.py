"""Stage export: the encoder of a finished pretraining as files that timm, torchvision and this project load."""

from pathlib import Path

from pipelines.building.export import Export, measured
from pipelines.errors import InputError
from pipelines.spec.folder import open_job
from pipelines.spec.jobs import PretrainSpec


def run(job: Path, to: Path, names: str) -> int:
    """Write model.safetensors, config.json and README.md to a folder."""
    folder = open_job(job, PretrainSpec)
    if not folder.done:
        raise InputError(f"{job}: is not finished; run: python -m pipelines pretrain --job {job}")
    Export.of(job).write(to, names, measured(job))
    print(f"{to}: model.safetensors, config.json, README.md")
    return 0
