"""What each stage is told: one frozen spec a stage, made by planning, written to spec.json, read back by the stage."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pipelines.files import digest
from pipelines.spec.base import Count, Model, NotNegative
from pipelines.spec.datasets import AnyDataSet
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.encoders.checkpoint import Options as Checkpoint
from pipelines.spec.encoders.checkpoint import Start
from pipelines.spec.evaluation import AnyEvaluation
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.parts import POOLED, BehindHead
from pipelines.spec.methods import AnyMethod
from pipelines.spec.overlay import laid_over, value_at
from pipelines.spec.parse import parse
from pipelines.spec.training import Training
from pipelines.spec.tuning import Search
from pipelines.spec.views import Views

OFF = {"rungs": None, "data_share": 1.0}
"""Settings of a search that are no part of its content while they are off."""


class JobSpec(Model):
    """What a job is, all defaults written out."""

    stage: ClassVar[str]

    def content(self) -> dict[str, Any]:
        """What decides the job's result, as plain JSON values: its key is made from this."""
        return self.model_dump(mode="json")


class ShardsSpec(JobSpec):
    """Pack a data set into shards."""

    stage: ClassVar[str] = "shards"
    dataset: AnyDataSet


class RunSpec(JobSpec):
    """What one pretraining is, but for its seed."""

    method: AnyMethod
    encoder: AnyEncoder
    views: Views
    training: Training
    dataset: AnyDataSet
    start: Start | None = None
    """Weights from a file that the encoder begins with; none: drawn from the seed."""

    def content(self) -> dict[str, Any]:
        dump = self.model_dump(mode="json")
        dump["training"] = self.training.content()
        if dump["start"] is None:
            del dump["start"]
        else:
            del dump["start"]["path"]  # the SHA-256 says which file it is, wherever it lies
        if vocabulary := dump["method"].get("vocabulary"):
            del vocabulary["path"]
        return dump


class PretrainSpec(RunSpec):
    """Pretrain one method on one data set with one seed."""

    stage: ClassVar[str] = "pretrain"
    seed: Annotated[int, Field(ge=0)]
    pictures: bool = False
    """Whether it leaves pictures of views and of what the method makes of images; changes no number and no key."""

    def content(self) -> dict[str, Any]:
        dump = super().content()
        del dump["pictures"]
        return dump

    def with_values(self, values: dict[str, Any]) -> "PretrainSpec":
        """The same with options set by path (temperature, training.lr_per_256), checked like a user's."""
        found: PretrainSpec = parse(PretrainSpec, laid_over(self.model_dump(mode="json"), values), "tuned values: ")
        return found


class TuneSpec(RunSpec):
    """Search a method's options."""

    stage: ClassVar[str] = "tune"
    search: Search

    def content(self) -> dict[str, Any]:
        dump = super().content()
        dump["search"] = {
            name: value for name, value in dump["search"].items() if name not in OFF or value != OFF[name]
        }
        return dump

    def default(self) -> dict[str, Any]:
        """What the searched options are without tuning; options that are off are left out."""
        run = self.model_dump(mode="json")
        found = {path: value_at(run, path) for path in self.search.space}
        return {path: value for path, value in found.items() if value is not None}

    def trial(self, slot: int, values: dict[str, Any]) -> PretrainSpec:
        """What the trial in a slot trains; its seed is one that no reported run uses."""
        fields = {name: getattr(self, name) for name in RunSpec.model_fields}
        training = self.training
        if every := self.search.reads_every:
            training = training.model_copy(update={"online_knn_epochs": every})
        if training.collapse_stop is None:
            training = training.model_copy(update={"collapse_stop": self.search.collapse_stop(training.epochs)})
        fields["training"] = training
        return PretrainSpec(**fields, seed=1000 * (self.search.seed + 1) + slot).with_values(values)


class Trained(Model):
    """The encoder that a pretraining left."""

    use: Literal["pretrain"] = "pretrain"


class Untrained(Model):
    """An encoder as it is born: drawn from the seed, before any step of training."""

    use: Literal["untrained"] = "untrained"
    encoder: AnyEncoder
    method: AnyMethod | None = None
    """The method that builds the encoder its own way (MAE, MoCo v3, CPC, CMC); none: the plain encoder."""
    views: Views | None = None
    """That method's recipe, whose size and colours the images take."""
    image_size: Count | None = None
    """Pixels a side it was built for; none: those of the data set it is evaluated on."""


class Pixels(Model):
    """No encoder: the pixels themselves."""

    use: Literal["pixels"] = "pixels"


class Foreign(Model):
    """Weights from a file, as they are."""

    use: Literal["checkpoint"] = "checkpoint"
    encoder: Checkpoint
    """All written out: what it is of, the images it takes, and its SHA-256."""


AnySource = Annotated[Trained | Untrained | Pixels | Foreign, Field(discriminator="use")]


class EvaluateSpec(JobSpec):
    """Measure one encoder on one data set by one protocol."""

    stage: ClassVar[str] = "evaluate"
    evaluation: AnyEvaluation
    source: AnySource
    dataset: AnyDataSet
    """What it is evaluated on, which may be another data set than the one it was pretrained on."""
    seed: Annotated[int, Field(ge=0)]
    keep_features: bool = False
    """Whether the features stay on disk; changes no result and no key."""
    pictures: bool = False
    """Whether kNN leaves pictures of what the features see; changes no number and no key."""
    forward_gflops: NotNegative = 0.0
    """Multiply-adds in billions of the encoder for one image, by which a job that trains asks for time; changes no result
    and no key. 0 for raw pixels."""

    def content(self) -> dict[str, Any]:
        dump = self.model_dump(mode="json", exclude={"keep_features", "pictures", "forward_gflops"})
        return {**dump, "source": self._source()}

    def _source(self) -> dict[str, Any]:
        """The source; of a file its SHA-256 says which it is, wherever it lies."""
        found = self.source.model_dump(mode="json")
        if isinstance(self.source, Foreign):
            del found["encoder"]["path"]
        return found

    def features_key(self, inputs: dict[str, str]) -> str:
        """Equal for the protocols that can share features; inputs: name -> key of the job that made it."""
        made_from = {name: key for name, key in inputs.items() if name in ("weights", "shards")}
        read: dict[str, Any] = {} if self.features_read == POOLED else {"features": self.features_read}
        read |= {"head_layers": self.head_layers} if self.head_layers else {}
        return digest({"source": self._source(), "seed": self.seed, "inputs": made_from, **read}, 16)

    @property
    def head_layers(self) -> int:
        """How many layers of the head are on the trained encoder whose features are read; 0 for floors."""
        behind = isinstance(self.evaluation, BehindHead) and isinstance(self.source, Trained)
        return self.evaluation.head_layers if behind else 0  # type: ignore[attr-defined]

    @property
    def features_read(self) -> tuple[str, ...]:
        """Which features of the encoder a protocol on features reads; raw pixels have one alone."""
        asked = isinstance(self.evaluation, Linear) and not isinstance(self.source, Pixels)
        return self.evaluation.features if asked else POOLED  # type: ignore[attr-defined]
