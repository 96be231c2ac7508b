"""Stage pretrain: train one method on one data set with one seed; resumes where it was stopped.

Reads JOB/spec.json, writes JOB/history.jsonl while it runs and encoder.safetensors, then record.json at the end. On
SIGTERM it saves a checkpoint and exits with 143; the same command goes on from there, as after a kill.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import InputError
from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    from torch import nn


def main(argv: list[str]) -> int:
    """Pretrain, in this process, with one process a GPU, or on several nodes of a Slurm allocation."""
    arguments = parser("pretrain", __doc__ or "")
    arguments.add_argument("--processes", type=int, default=1, help="processes in all, one a GPU (default: 1)")
    arguments.add_argument("--nodes", type=int, default=1, help="nodes of the Slurm allocation they share (default: 1)")
    options = arguments.parse_args(argv)
    if options.processes > 1 and "RANK" not in os.environ:
        command = launcher(options.job, options.processes, options.nodes)
        os.execvp(command[0], command)  # in place of this process, so that a scheduler's SIGTERM reaches the launcher
    return _pretrain(open_job(options.job, "pretrain"))


def launcher(job: Path, processes: int, nodes: int) -> list[str]:
    """The command that starts ``processes`` of this stage, evenly over ``nodes``.

    One node: torchrun. Several: Slurm's srun starts one torchrun a node, and they meet at the first host of the
    allocation, at a port made from the job id. InputError when the processes cannot be shared evenly.
    """
    if processes % nodes:
        raise InputError(f"--processes {processes} cannot be shared evenly by --nodes {nodes}; choose a multiple")
    run = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes // nodes}"]
    stage = ["-m", "pipelines", "pretrain", "--job", str(job)]
    if nodes == 1:
        return [*run, "--standalone", *stage]
    meet = '--rdzv-endpoint="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 20000))"'
    inside = f"exec {shlex.join([*run, f'--nnodes={nodes}', '--rdzv-backend=c10d'])} {meet} {shlex.join(stage)}"
    return ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "bash", "-c", inside]


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
    from pipelines.spec.methods import options_class
    from pipelines.stages.parts import METHOD, device_name
    from pipelines.stages.pictures import write_pictures
    from pipelines.stages.pretraining import trainer
    from pipelines.stages.tuned import with_best
    from pipelines.training.monitors import collapse_flags

    started = now()
    spec, chosen = with_best(job.spec, job.inputs.get("best"))
    shards = open_shards(job.inputs["shards"])
    training = trainer(spec, shards, job.path, stop)
    fitted = training.fit()
    if distributed.rank() != 0:
        return
    _save(training.method.encoder, job.path / "encoder.safetensors")
    if isinstance(head := getattr(training.method, "head", None), nn.Module):
        _save(head, job.path / "head.safetensors")  # SimCLR v2 fine-tunes from inside its head
    artifacts = {"encoder": "encoder.safetensors", "history": "history.jsonl"}
    if options_class(spec["method"]["use"]).text:
        _save(training.method, job.path / METHOD)  # zero-shot evaluation needs the text tower
        artifacts["method"] = METHOD
    artifacts |= write_pictures(spec, training.method, shards, job.path)
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
        artifacts=artifacts,
        started=started,
    )
    (job.path / "checkpoint.pt").unlink(missing_ok=True)


def _save(module: "nn.Module", path: Path) -> None:
    from safetensors.torch import save_file

    from pipelines.files import replacing

    with replacing(path) as part:
        save_file({name: value.contiguous() for name, value in module.state_dict().items()}, part)
