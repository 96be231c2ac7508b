"""Which of our modules make a job's result: its stage, and what the stage loads by name for the parts in its spec."""

from pipelines.code import Code, sources_of
from pipelines.spec.base import Model
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.jobs import EvaluateSpec, Foreign, JobSpec, RunSpec, ShardsSpec, TuneSpec, Untrained
from pipelines.spec.tuning import Judged

ON_FEATURES, ON_IMAGES, TEXTS = "pipelines.building.embedding", "pipelines.building.workbench", "pipelines.methods.clip"
BESIDE = {
    "captions": "pipelines.building.pairs",
    "label_sets": "pipelines.building.label_sets",
    "masks": "pipelines.building.masks",
    "boxes": "pipelines.building.boxes",
}
"""What one kind of evaluation needs and another does not."""
OBJECTIVE = "pipelines.building.objective"
"""What judges trials by a protocol."""
LOOKS = "pipelines.building.looks"
"""What makes the pictures of the kNN protocol."""
VIEW_FEATURES = "pipelines.building.view_features"
"""What makes several views of an image for the kNN protocol, where it is asked to."""


def code_of(spec: JobSpec) -> Code:
    """The code that would make this job's result now. InputError when a module is missing or is not Python."""
    modules = {f"pipelines.stages.{spec.stage}"}
    without: set[str] = set()
    match spec:
        case ShardsSpec():
            modules |= _kind("datasets", spec.dataset) | {f"pipelines.sources.{_use(spec.dataset)}"}
        case RunSpec():
            modules |= _part("methods", spec.method) | _part("encoders", spec.encoder)
            modules |= {f"pipelines.views.{peer.package}"} if (peer := spec.method.peer_transforms) else set()
            if isinstance(spec, TuneSpec):
                modules, without = _judged_by(spec, modules, without)
        case EvaluateSpec():
            modules |= _part("evaluation", spec.evaluation)
            without |= set() if isinstance(spec.evaluation, Knn) else {LOOKS}
            without |= set() if isinstance(spec.evaluation, Knn) and spec.evaluation.views else {VIEW_FEATURES}
            if isinstance(spec.source, Untrained):
                modules |= _part("encoders", spec.source.encoder)
                modules |= _part("methods", spec.source.method) if spec.source.method else set()
            if isinstance(spec.source, Foreign):
                modules |= _part("encoders", spec.source.encoder) | _part("encoders", spec.source.encoder.of())
            without |= _other_ways(spec.evaluation)
            without |= set() if spec.evaluation.needs_text else {TEXTS} - modules
    return sources_of(modules, without=without)


def _judged_by(spec: TuneSpec, modules: set[str], without: set[str]) -> tuple[set[str], set[str]]:
    """With what measures trials: all that makes an evaluation's result, or for online kNN nothing more."""
    aim = spec.search.objective
    if not isinstance(aim, Judged):
        return modules, without | {OBJECTIVE}
    return modules | _part("evaluation", aim.by), without | _other_ways(aim.by) | ({TEXTS} - modules)


def _other_ways(evaluation: Protocol) -> set[str]:
    """What puts together what protocols of other kinds work on."""
    own = BESIDE.get(evaluation.targets, ON_IMAGES if evaluation.on_images else ON_FEATURES)
    return {ON_FEATURES, ON_IMAGES, *BESIDE.values()} - {own}


def _part(room: str, options: Model) -> set[str]:
    """A part's options and what they configure."""
    return _kind(room, options) | {f"pipelines.{room}.{_use(options)}"}


def _kind(room: str, options: Model) -> set[str]:
    return {f"pipelines.spec.{room}.{_use(options)}"}


def _use(options: Model) -> str:
    return str(getattr(options, "use"))  # noqa: B009  every kind of part has one; Model does not say so
