"""Stage evaluate: one protocol on features that are already there."""

from typing import TYPE_CHECKING, Any

from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    import torch

    from pipelines.evaluation.features import Features
    from pipelines.evaluation.zero_shot import ImagesAndTexts


def main(argv: list[str]) -> int:
    """Measure, then write the record."""
    _run(open_job(parser("evaluate", __doc__ or "").parse_args(argv).job, "evaluate"))
    return 0


def _run(job: JobFolder) -> None:
    import time

    from pipelines.records import now, write_record
    from pipelines.spec.evaluation import AnyEvaluation, on_images
    from pipelines.spec.parse import parse
    from pipelines.stages.parts import chosen_device, device_name

    started, clock = now(), time.perf_counter()
    options, device = parse(AnyEvaluation, job.spec["evaluation"], "evaluation"), chosen_device()
    if on_images(options):
        from pipelines.stages.finetuning import run

        found, derived = run(job, options)
        metrics = {f"test/{name}": value for name, value in found.items()}
    else:
        metrics, derived = _on_features(job, options, device)
    write_record(
        job.path,
        key=job.key,
        stage="evaluate",
        spec=job.spec,
        inputs=job.input_keys,
        metrics=metrics,
        derived=derived,
        seconds=time.perf_counter() - clock,
        device=device_name(device),
        started=started,
    )


def _on_features(job: JobFolder, options: Any, device: "torch.device") -> tuple[dict[str, float], dict[str, Any]]:
    """(metrics, what was chosen) of a protocol on the features that embed wrote."""
    import importlib

    from pipelines.evaluation.features import Features
    from pipelines.randomness import generator
    from pipelines.spec.evaluation import needs_text

    features: Any = Features.load(job.inputs["features"] / "features.safetensors").to(device)
    if needs_text(options):
        features = _with_texts(job, options.templates, features, device)
    protocol = importlib.import_module(f"pipelines.evaluation.{options.use}")
    measured = protocol.measure(options, features, generator(job.spec["seed"], "evaluate", device=device))
    return measured.metrics, measured.derived


def _with_texts(
    job: JobFolder, templates: tuple[str, ...] | None, features: "Features", device: "torch.device"
) -> "ImagesAndTexts":
    """Test images and class names in the common space of a method with a text tower."""
    import torch

    from pipelines.evaluation.zero_shot import ImagesAndTexts
    from pipelines.sources.reader import open_shards
    from pipelines.stages.parts import trained_method

    method: Any = trained_method(job.inputs["weights"]).to(device).eval()
    with torch.no_grad():
        return ImagesAndTexts(
            image=method.image_embeddings(features.test),
            label=features.test_label,
            text=method.class_embeddings(open_shards(job.inputs["shards"]).class_names, templates),
        )
