"""Stage evaluate: one protocol on features that are already there."""

from pipelines.stages.job import JobFolder, open_job, parser


def main(argv: list[str]) -> int:
    """Measure, then write the record."""
    _run(open_job(parser("evaluate", __doc__ or "").parse_args(argv).job, "evaluate"))
    return 0


def _run(job: JobFolder) -> None:
    import importlib
    import time

    from pipelines.evaluation.features import Features
    from pipelines.randomness import generator
    from pipelines.records import now, write_record
    from pipelines.spec.evaluation import AnyEvaluation
    from pipelines.spec.parse import parse
    from pipelines.stages.parts import chosen_device, device_name

    started, clock = now(), time.perf_counter()
    options, device = parse(AnyEvaluation, job.spec["evaluation"], "evaluation"), chosen_device()
    features = Features.load(job.inputs["features"] / "features.safetensors").to(device)
    protocol = importlib.import_module(f"pipelines.evaluation.{options.use}")
    metrics = protocol.measure(options, features, generator(job.spec["seed"], "evaluate", device=device))
    chosen = {name: metrics.pop(name) for name in ("lr", "weight_decay") if name in metrics}
    write_record(
        job.path,
        key=job.key,
        stage="evaluate",
        spec=job.spec,
        inputs=job.input_keys,
        metrics={_with_split(name): value for name, value in metrics.items()},
        derived={f"chosen/{name}": value for name, value in chosen.items()},
        seconds=time.perf_counter() - clock,
        device=device_name(device),
        started=started,
    )


def _with_split(name: str) -> str:
    """A protocol's metric name with the split in front: top1 -> test/top1, holdout_top1 -> holdout/top1."""
    for split in ("holdout", "train"):
        if name.startswith(f"{split}_"):
            return f"{split}/{name.removeprefix(f'{split}_')}"
    return f"test/{name}"
