"""Stage pretrain: train one method on one data set with one seed; resumes where it was stopped.

Reads JOB/spec.json, writes JOB/history.jsonl while it runs and encoder.safetensors, then record.json at the end. On
SIGTERM it saves a checkpoint and exits with 143, on SIGINT with 130; the same command goes on from there, as after a
kill. Several jobs run one after the other in one process; one that fails does not keep the others from running, and one
whose loss is no number any more, which no further attempt would mend, does not keep them from being measured.
"""

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from pipelines import distributed, histograms, history
from pipelines.attempts import begin, forget
from pipelines.building.devices import device_name, device_told, peak_memory
from pipelines.building.methods import ENCODER, HEAD, METHOD, packed
from pipelines.building.pictures import write_pictures
from pipelines.building.pretraining import trainer
from pipelines.building.tuned import chosen_values
from pipelines.building.views_seen import write_views
from pipelines.errors import BadResult, Problem
from pipelines.files import replacing
from pipelines.launching.processes import leave_others, process_group
from pipelines.launching.torchrun import become_launcher, launched
from pipelines.launching.work import at_work, saved, voice
from pipelines.lease import Lease, handed_over
from pipelines.records import FILE, now, write_record
from pipelines.signals import Stop
from pipelines.sources.reader import ShardSet
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.made_by import code_of
from pipelines.telling import written
from pipelines.training import checkpoint
from pipelines.training.fluctuation import fluctuations
from pipelines.training.loop import Fitted, Stopped, Trainer
from pipelines.training.monitors import collapse_flags
from pipelines.training.restarts import trained
from pipelines.training.steadiness import steadiness


def run(job: list[Path], processes: int = 1, nodes: int = 1) -> int:
    """Pretrain, in this process, with one process a GPU, or on several nodes of a Slurm allocation.

    1 when one failed; where the only failures are bad results, 0 if some other job has its record: the evaluations of a bad
    one say that it is not finished.
    """
    if processes > 1 and not launched() and (left := [path for path in job if not (path / FILE).exists()]):
        become_launcher("pretrain", left, processes, nodes)
    failed = bad = 0
    with Stop.listening() as stop, handed_over(job) as leases, process_group():
        for path in job:
            if stop():
                voice(path)("asked to end before it began; the same command does it")
                return stop.status
            try:
                folder = open_job(path, PretrainSpec)
                with at_work(path, folder.done, leases) as lease:
                    if folder.done:
                        print(f"{path}: done already")
                    else:
                        _pretrain(ready(folder), stop, lease)
            except Stopped as stopped:
                return saved(path, stopped, stop)
            except BadResult as error:
                print(f"error: {error}", file=sys.stderr)
                bad += 1
            except Problem as error:
                print(f"error: {error}", file=sys.stderr)
                leave_others(error)
                failed = 1
    return failed or int(bad == len(job))


def _milestones(job: Path, epochs: Iterable[int]) -> dict[str, str]:
    """The checkpoints that were kept of these epochs; one asked for only after its epoch is not there."""
    kept = {epoch: checkpoint.milestone(epoch) for epoch in sorted(set(epochs))}
    return {f"checkpoint_{epoch}": name for epoch, name in kept.items() if (job / name).exists()}


def _pretrain(job: JobFolder[PretrainSpec], stop: Stop, lease: Lease | None) -> None:
    started, code = now(), code_of(job.spec)
    attempts = begin(job.path, started) if distributed.rank() == 0 else 0
    tell = voice(job.path)
    tell(f"attempt {attempts} starts on {device_told()}")

    def asked_to_end() -> bool:
        if lease:
            lease.check()
        return stop()

    chosen = chosen_values(job.inputs.get("best"))
    spec = job.spec.with_values(chosen)
    shards = packed(job.inputs["shards"])
    made = partial(trainer, spec, shards, job.path, asked_to_end, job=job.key, say=tell)
    training, fitted = trained(made, spec.training.restarts, stop.deferred)
    if distributed.rank() != 0:
        return
    if lease:
        lease.check()
    images = fitted.clock.steps * training.training.batch_size
    record = write_record(
        job.path,
        key=job.key,
        stage="pretrain",
        spec=spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics=fitted.metrics
        | steadiness(job.path / history.FILE, int(fitted.derived["steps_per_epoch"]))
        | fluctuations(job.path / history.FILE),
        derived={
            **fitted.derived,
            **peak_memory(training.device),
            "attempts": attempts,
            "processes": distributed.world_size(),
            **{f"tuned/{path}": value for path, value in chosen.items()},
        },
        seconds=fitted.clock.training,
        images_per_second=images / fitted.clock.training,
        device=device_name(training.device),
        code=code,
        flags=collapse_flags(fitted.metrics),
        artifacts=_files(job.path, spec, training, fitted, shards),
        started=started,
    )
    checkpoint.forget(job.path)
    forget(job.path)
    tell(written(record.seconds, record.artifacts.values(), FILE))


def _files(out: Path, spec: PretrainSpec, training: Trainer, fitted: Fitted, shards: ShardSet) -> dict[str, str]:
    """Write weights, score histograms and pictures; artifact names and files, those that training left included."""
    found = {**_save_weights(training.method, out, spec.method.text), "history": history.FILE}
    found |= _milestones(out, spec.training.keep_epochs)
    if fitted.histograms:
        fitted.histograms.save(out / histograms.FILE)
        found["scores"] = histograms.FILE
    if spec.pictures:
        found |= write_views(training, spec.views, shards, out) | write_pictures(spec, training.method, shards, out)
    return found


def _save_weights(method: nn.Module, out: Path, whole: bool) -> dict[str, str]:
    """Write the encoder, the head where there is one and, with ``whole``, all weights; artifact names and files."""
    parts: dict[str, tuple[nn.Module, str]] = {"encoder": (method.get_submodule("encoder"), ENCODER)}
    if isinstance(head := getattr(method, "head", None), nn.Module):
        parts["head"] = (head, HEAD)  # SimCLR v2 fine-tunes from inside its head
    if whole:
        parts["method"] = (method, METHOD)  # zero-shot evaluation needs the text tower
    for module, file in parts.values():
        with replacing(out / file) as part:
            save_file({name: value.contiguous() for name, value in module.state_dict().items()}, part)
    return {name: file for name, (_, file) in parts.items()}
