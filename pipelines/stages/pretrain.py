"""Stage pretrain: train one method on one data set with one seed; resumes where it was stopped.

Reads JOB/spec.json, writes JOB/history.jsonl while it runs and encoder.safetensors, then record.json at the end. On
SIGTERM it saves a checkpoint and exits with 143; the same command goes on from there, as after a kill.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    from torch import nn


def main(argv: list[str]) -> int:
    """Pretrain, in this process or with one process a GPU."""
    arguments = parser("pretrain", __doc__ or "")
    arguments.add_argument("--processes", type=int, default=1, help="processes on this machine, one a GPU (default: 1)")
    options = arguments.parse_args(argv)
    if options.processes > 1 and "RANK" not in os.environ:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={options.processes}"]
        return subprocess.run(
            [sys.executable, *launch, "-m", "pipelines", "pretrain", "--job", str(options.job)]
        ).returncode
    return _pretrain(open_job(options.job, "pretrain"))


def _pretrain(job: JobFolder) -> int:
    from pipelines.stages.processes import process_group
    from pipelines.training.loop import Stopped

    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    with process_group():
        try:
            _run(job, lambda: bool(stopping))
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            return 128 + signal.SIGTERM
    return 0


def _run(job: JobFolder, stop: Callable[[], bool]) -> None:
    from torch import nn

    from pipelines import distributed
    from pipelines.records import now, write_record
    from pipelines.sources.reader import open_shards
    from pipelines.stages.parts import device_name
    from pipelines.stages.pretraining import trainer
    from pipelines.stages.tuned import with_best
    from pipelines.training.monitors import collapse_flags

    started = now()
    spec, chosen = with_best(job.spec, job.inputs.get("best"))
    training = trainer(spec, open_shards(job.inputs["shards"]), job.path, stop)
    fitted = training.fit()
    if distributed.rank() != 0:
        return
    _save(training.method.encoder, job.path / "encoder.safetensors")
    if isinstance(head := getattr(training.method, "head", None), nn.Module):
        _save(head, job.path / "head.safetensors")  # SimCLR v2 fine-tunes from inside its head
    images = fitted.clock.steps * training.training.batch_size
    write_record(
        job.path,
        key=job.key,
        stage="pretrain",
        spec=spec,
        inputs=job.input_keys,
        metrics=fitted.metrics,
        derived={**fitted.derived, **{f"tuned/{path}": value for path, value in chosen.items()}},
        seconds=fitted.clock.training,
        images_per_second=images / fitted.clock.training,
        device=device_name(training.device),
        flags=collapse_flags(fitted.metrics),
        artifacts={"encoder": "encoder.safetensors", "history": "history.jsonl"},
        started=started,
    )
    (job.path / "checkpoint.pt").unlink(missing_ok=True)


def _save(module: "nn.Module", path: Path) -> None:
    from safetensors.torch import save_file

    from pipelines.files import replacing

    with replacing(path) as part:
        save_file({name: value.contiguous() for name, value in module.state_dict().items()}, part)
