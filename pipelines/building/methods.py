"""Methods and encoders from their specs: freshly drawn from a seed, or with the weights that a pretraining left."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipelines.building.images import Wanted
from pipelines.encoders import build_encoder
from pipelines.encoders.base import Encoder
from pipelines.encoders.checkpoint import load
from pipelines.errors import InputError
from pipelines.methods import build
from pipelines.methods.base import DataFacts, Method
from pipelines.randomness import seeded
from pipelines.records import checked_file, read_record
from pipelines.seeds import seed_for
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.checkpoint import Start
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.parse import parse

ENCODER, HEAD, METHOD = "encoder.safetensors", "head.safetensors", "method.safetensors"
"""What a pretraining leaves: its encoder, its head where it has one, all of it where evaluation needs more than those."""


def packed(folder: Path) -> ShardSet:
    """The shards of a finished job, whose record vouches for the index, which vouches for the tars. DamagedFile."""
    checked_file(read_record(folder), folder, "index")
    return open_shards(folder)


def facts_of(shards: ShardSet, image_size: int | None = None) -> DataFacts:
    """What a method may know of the shards it is pretrained on; image_size: another than theirs."""
    captions = shards.table("train").captions if shards.index.captions else None
    return DataFacts(
        num_samples=len(shards.pretraining),
        num_classes=len(shards.class_names),
        image_size=image_size or shards.index.image_size,
        class_names=shards.class_names,
        channels=shards.index.input_channels,
        captions=tuple(captions[row] for row in shards.pretraining.tolist()) if captions else (),
    )


def fresh_method(options: MethodOptions, encoder: EncoderOptions, facts: DataFacts, seed: int) -> Method:
    """A method as it is born, its weights drawn from the seed."""

    def make_encoder(in_channels: int = facts.channels) -> Encoder:
        return build_encoder(encoder, facts.image_size, in_channels)

    with seeded(seed_for(seed, "weights")):  # torch's layers draw their weights from the global generator
        return build(options, make_encoder, facts)


def begun(method: Method, start: Start | None) -> Method:
    """The method, its encoder and every copy of it (a target network) with the weights of a file, where there is one."""
    if start is None:
        return method
    twins = [each for each in method.modules() if each is not method.encoder and _shape(each) == _shape(method.encoder)]
    load(method.encoder, start)
    for twin in twins:
        twin.load_state_dict(method.encoder.state_dict(), strict=True)
    return method


def _shape(module: torch.nn.Module) -> tuple[type, dict[str, torch.Size]]:
    return type(module), {name: value.shape for name, value in module.state_dict().items()}


def fresh_encoder(options: EncoderOptions, image_size: int, seed: int, channels: int = 3) -> Encoder:
    """An encoder as it is born, its weights drawn from the seed."""
    with seeded(seed_for(seed, "weights")):
        return build_encoder(options, image_size, channels)


@dataclass(frozen=True)
class Pretrained:
    """A method that was pretrained: what ran, on which shards, and the weights it ended with.

    name     where it comes from, for messages
    weights  of a part (encoder, head, method) by its name
    """

    name: str
    spec: PretrainSpec
    shards: ShardSet
    weights: Callable[[str], dict[str, Tensor]]

    @classmethod
    def left(cls, folder: Path) -> "Pretrained":
        """What a finished pretraining left in its folder."""
        record = read_record(folder)
        spec: PretrainSpec = parse(PretrainSpec, record.spec, f"{folder}: record.json: spec")
        shards = packed(shards_folder(folder))
        return cls(str(folder), spec, shards, lambda part: load_file(checked_file(record, folder, part)))

    @classmethod
    def of(cls, method: Method, spec: PretrainSpec, shards: ShardSet, name: str) -> "Pretrained":
        """A method as it stands at the end of its training."""

        def weights(part: str) -> dict[str, Tensor]:
            return (method if part == "method" else method.get_submodule(part)).state_dict()

        return cls(name, spec, shards, weights)

    @property
    def wanted(self) -> Wanted:
        """The form in which its encoder takes images."""
        return Wanted.of(self.shards, self.spec.views)

    def method(self, *, whole: bool = False) -> Method:
        """A new one; its encoder's weights, or with ``whole`` all of them, loaded strictly."""
        method = fresh_method(self.spec.method, self.spec.encoder, facts_of(self.shards), self.spec.seed)
        part, name = (method, "method") if whole else (method.encoder, "encoder")
        part.load_state_dict(self.weights(name), strict=True)
        return method

    def head(self, method: Method, layers: int) -> tuple[nn.Module, int]:
        """The first layers of the head of such a method, loaded strictly, and how wide what they give is.

        InputError where the head has fewer, or is not made of layers: planning asked the method's options before.
        """
        head = method.get_submodule("head")
        if not isinstance(head, nn.Sequential) or not 0 < layers <= len(head):
            have = len(head) if isinstance(head, nn.Sequential) else 0
            raise InputError(
                f"{self.name}: head_layers: {layers} asked for, and the head has {have} that can be kept; ask for fewer"
            )
        head.load_state_dict(self.weights("head"), strict=True)
        kept = head[:layers]
        last = [module for module in kept.modules() if isinstance(module, nn.Linear)][-1]
        return kept, last.out_features


def shards_folder(weights: Path) -> Path:
    """Where the shards lie that a finished pretraining read."""
    return weights.parents[1] / "shards" / read_record(weights).inputs["shards"]
