"""Stage export: the encoder of a finished pretraining as files that timm, torchvision and this project load."""

from pathlib import Path

from pipelines.advice import typed
from pipelines.building.export import Export, measured
from pipelines.building.onnx_file import FILE, check_onnx, write_onnx
from pipelines.errors import InputError
from pipelines.spec.folder import open_job
from pipelines.spec.jobs import PretrainSpec


def run(job: Path, to: Path, names: str, onnx: bool) -> int:
    """Write model.safetensors, config.json and README.md to a folder, and with ``onnx`` model.onnx."""
    if onnx:
        check_onnx()
    folder = open_job(job, PretrainSpec)
    if not folder.done:
        raise InputError(f"{job}: is not finished; run: {typed('pretrain', '--job', job)}")
    export = Export.of(job)
    export.write(to, names, measured(job))
    print(f"{to}: model.safetensors, config.json, README.md")
    if onnx:
        apart = write_onnx(export.encoder, export.side, export.wanted.channels, to / FILE)
        print(f"{to / FILE}: features as the encoder's, to within {apart:.1g} of the largest")
    return 0
