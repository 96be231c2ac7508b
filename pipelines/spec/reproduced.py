"""Which rows of a study are set against which published figures, found and compared before anything runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelines.errors import InputError
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.job import Job
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.mistakes import suggestion
from pipelines.spec.named import arms, evaluation_of, number
from pipelines.spec.published import (
    PUBLISHED,
    Published,
    backbone_name,
    dataset_name,
    load_published,
    method_name,
    published_protocol,
)
from pipelines.spec.reproductions import Difference, PlannedReproduction, Reproduction
from pipelines.spec.study import Study


def planned_reproductions(
    study: Study, jobs: Iterable[Job], labels: Mapping[tuple[str, str], str], folder: Path = PUBLISHED
) -> tuple[PlannedReproduction, ...]:
    """The reproductions of a study. ``folder``: where the published figures lie.

    InputError where a line names no single row, no figure, or a figure of something else: another method, data set,
    network or protocol, or one that differs in what the line does not say.
    """
    if not study.reproduces:
        return ()
    figures = {figure.id: figure for figure in load_published(folder) if figure.id}
    runs = {
        (labels[job.place], job.spec.dataset.short_name): job.spec
        for job in jobs
        if isinstance(job.spec, PretrainSpec) and "best" not in job.inputs
    }
    found = [_planned(study, line, runs, figures, f"reproduces[{i}]") for i, line in enumerate(study.reproduces)]
    for i, one in enumerate(found):
        if one in found[:i]:
            raise InputError(f"reproduces[{i}]: the same row and figure as line {found.index(one)}; leave one out")
    return tuple(found)


def _planned(
    study: Study,
    line: Reproduction,
    runs: Mapping[tuple[str, str], PretrainSpec],
    figures: Mapping[str, Published],
    where: str,
) -> PlannedReproduction:
    figure = figures.get(line.published)
    if figure is None:
        raise InputError(
            f"{where}.published: no figure of reports/published has the id {line.published!r}; "
            f"{suggestion(line.published, list(figures))}"
        )
    what = number(study, line.metric, f"{where}.metric", "the line")
    evaluation = evaluation_of(study, what)
    dataset = _dataset(study, line, where)
    labels = [arm.label for arm in arms(study, line, where) if (arm.label, dataset) in runs]
    if len(labels) != 1:
        there = f" ({', '.join(labels)})" if labels else ""
        raise InputError(
            f"{where}: {line.method} names {len(labels)} rows{there}, and a figure is of one; choose by at"
        )
    spec = runs[labels[0], dataset]
    _check_same(spec, evaluation, what, figure, where)
    found = differences(spec, evaluation, figure)
    _check_told(line, found, where)
    return PlannedReproduction(
        label=labels[0],
        number=what,
        dataset=dataset,
        figure=figure,
        within=line.within,
        differs=tuple(found.values()),
    )


def _dataset(study: Study, line: Reproduction, where: str) -> str:
    known = [data.short_name for data in study.pretraining_sets]
    if line.dataset is None and len(known) > 1:
        raise InputError(f"{where}: the study pretrains on {', '.join(known)}; name one under dataset")
    name = line.dataset or known[0]
    if name not in known:
        raise InputError(f"{where}.dataset: nothing is pretrained on {name!r}; {suggestion(name, known)}")
    return name


def _check_same(spec: PretrainSpec, evaluation: Protocol, what: str, figure: Published, where: str) -> None:
    """InputError where the figure is of another method, data set, network, protocol or metric: no sentence mends that."""
    here = {
        "method": method_name(spec.method),
        "data set": dataset_name(spec.dataset),
        "network": backbone_name(spec.encoder, spec.method.branches),
        "protocol": published_protocol(evaluation, what.rpartition("/")[2]),
        "metric": "top1",
    }
    there = (figure.method, figure.dataset, figure.backbone, figure.protocol, figure.metric)
    for (name, mine), theirs in zip(here.items(), there, strict=True):
        if mine != theirs:
            raise InputError(
                f"{where}.published: {figure.id} is of {name} {theirs}, the row of "
                f"{mine or 'one that no published table has'}; take another figure, or change the study"
            )


def differences(spec: PretrainSpec, evaluation: Protocol, figure: Published) -> dict[Difference, str]:
    """In what the figure was measured otherwise than the row will be, as far as its source says: a sentence each."""
    found: dict[Difference, str] = {}
    if figure.linear_mode == "online":
        found["online"] = "the published probe learnt beside the encoder, this one afterwards"
    if figure.selection:
        found["best_epoch"] = f"the published figure is of the {figure.selection}, this one of the last"
    if figure.protocol == "linear" and (evaluation.use == "linear") != (figure.probe_images == "plain"):
        crops, plain = "crops and flips", "features of images as they are"
        there, here = (plain, crops) if figure.probe_images else (crops, plain)
        found["features"] = f"the published probe learnt from {there}, this one from {here}"
    if isinstance(evaluation, Knn) and figure.knn_k not in (None, evaluation.all_k[0]):
        found["neighbours"] = f"{figure.knn_k} neighbours vote there, {evaluation.all_k[0]} here"
    if figure.epochs not in (None, spec.training.epochs):
        found["epochs"] = f"{figure.epochs} epochs there, {spec.training.epochs} here"
    if figure.batch_size not in (None, spec.training.batch_size):
        found["batch_size"] = f"batches of {figure.batch_size} there, of {spec.training.batch_size} here"
    if spec.dataset.holdout:
        held = spec.dataset.held_share(spec.dataset.train_images or 1)
        found["holdout"] = f"{held:.3g} of train is held out from pretraining here"
    return found


def _check_told(line: Reproduction, found: Mapping[Difference, str], where: str) -> None:
    """InputError unless the line names what differs, and nothing else."""
    if missing := [name for name in found if name not in line.differs]:
        sentences = "; ".join(f"{name} ({found[name]})" for name in missing)
        raise InputError(
            f"{where}.differs: the row and {line.published} are not measured alike: {sentences}; make them alike, or say so: "
            f"differs: [{', '.join(found)}]"
        )
    if needless := [name for name in line.differs if name not in found]:
        raise InputError(f"{where}.differs: they do not differ in {', '.join(needless)}; leave it out")
