"""What a trial of tuning is judged by: any protocol, for which the held-out slice stands in the place of test."""

from pathlib import Path

from pipelines.building.devices import chosen_device
from pipelines.building.embedding import Embedding, features_of
from pipelines.building.measuring import measured, measured_on_features
from pipelines.building.methods import Pretrained
from pipelines.building.subject import Subject
from pipelines.sources.held_out import HeldOut
from pipelines.spec.jobs import EvaluateSpec, Trained
from pipelines.spec.tuning import Judged


def judged(objective: Judged, trained: Pretrained, out: Path) -> float:
    """The objective's number of what was trained, as a fraction. InputError where the slice is too small for the protocol.

    out: a folder for features too large for memory, and for checkpoints of what the protocol trains.
    """
    spec = EvaluateSpec(evaluation=objective.by, source=Trained(), dataset=trained.spec.dataset, seed=trained.spec.seed)
    subject = Subject(spec, HeldOut(trained.shards), trained, out)
    if spec.evaluation.on_images or spec.evaluation.targets != "labels":
        return measured(subject).measured.test[objective.name]
    features = features_of(subject, out).to(chosen_device())
    embedding = Embedding(trained.name, features, subject.shards, trained, seconds=0.0, diagnosed={})
    return measured_on_features(spec.evaluation, embedding, spec.seed).test[objective.name]
