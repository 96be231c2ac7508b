"""What an evaluation measures and on which data set: all that the work of a protocol is put together from."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.building.features import EvaluatedEncoder, source_of
from pipelines.building.methods import Pretrained, packed
from pipelines.records import read_record
from pipelines.sources.reader import ShardSet
from pipelines.spec.folder import JobFolder
from pipelines.spec.jobs import EvaluateSpec


@dataclass(frozen=True)
class Subject:
    """An encoder and a data set.

    shards   of the data set it is measured on, which may be another one than it was pretrained on
    trained  what was pretrained; none for floors and for weights from a file
    out      a folder for the checkpoints of what a protocol trains
    teacher  the folder of the job whose classifier teaches, for distillation alone
    """

    spec: EvaluateSpec
    shards: ShardSet
    trained: Pretrained | None
    out: Path
    teacher: Path | None = None

    @classmethod
    def of(cls, job: JobFolder[EvaluateSpec]) -> "Subject":
        """What a job names."""
        weights, teacher = job.inputs.get("weights"), job.inputs.get("teacher")
        if teacher is not None:
            weights = teacher.parents[1] / "pretrain" / read_record(teacher).inputs["weights"]
        trained = Pretrained.left(weights) if weights else None
        return cls(job.spec, packed(job.inputs["shards"]), trained, job.path, teacher)

    def source(self) -> EvaluatedEncoder:
        """The encoder, a new one with its weights."""
        return source_of(self.spec, self.shards, self.trained)
