"""What a finished pretraining left, as files for elsewhere: weights under timm's and torchvision's names, and a card."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from pipelines.building.card import card
from pipelines.building.images import Wanted
from pipelines.building.methods import Pretrained, fresh_encoder
from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.files import read_json, replacing, sha256_file, write_json, write_text
from pipelines.metric import of_split
from pipelines.records import FILE, Record, read_record
from pipelines.spec.bands import Bands
from pipelines.spec.encoders.checkpoint import CONFIG, EXPORTED
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.vit_names import torchvisions

README = "README.md"


@dataclass(frozen=True)
class Export:
    """An encoder with what has to be known to use it. ``side``: pixels of the images it takes."""

    record: Record
    spec: PretrainSpec
    encoder: Encoder
    wanted: Wanted
    side: int

    @classmethod
    def of(cls, weights: Path) -> "Export":
        """Of a finished pretraining's folder. InputError where its encoder is no network that others know."""
        trained = Pretrained.left(weights)
        spec, encoder, wanted = trained.spec, trained.method().encoder, trained.wanted
        size, channels = trained.shards.index.image_size, wanted.channels
        first, plain = spec.views.kinds[0], fresh_encoder(spec.encoder, size, spec.seed, channels)
        if encoder.state_dict().keys() != plain.state_dict().keys() or first.colour not in ("rgb", "unit"):
            raise InputError(
                f"{weights}: {spec.method.use} builds an encoder of its own around {spec.encoder.short_name}, which no other "
                "library can load; its weights are encoder.safetensors"
            )
        if first.colour == "unit":  # values from 0 to 1 as they are
            wanted = replace(wanted, mean=(0.0,) * channels, std=(1.0,) * channels)
        return cls(read_record(weights), spec, encoder, wanted, first.size or wanted.image_size)

    def tensors(self, names: str) -> dict[str, Tensor]:
        """The weights under the names of timm or of torchvision (which differ for vision transformers only)."""
        found = {name.removeprefix("model."): value for name, value in self.encoder.state_dict().items()}
        if isinstance(self.encoder, ViT):  # positions for the images it takes, which may be smaller than those packed
            patches = self.side // self.encoder.patch
            found["pos_embed"] = self.encoder.positions(patches, patches).detach()
            found = torchvisions(found) if names == "torchvision" else found
        return {name: value.contiguous() for name, value in found.items()}

    def config(self, numbers: dict[str, float]) -> dict[str, Any]:
        """What config.json says: plain JSON values. numbers: metrics of evaluations, by protocol and data set."""
        return {
            "encoder": self.spec.encoder.model_dump(mode="json"),
            "image_size": self.side,
            "in_channels": self.wanted.channels,
            **self._reading(),
            "mean": list(self.wanted.mean),
            "std": list(self.wanted.std),
            "width": self.encoder.width,
            "dataset": self.spec.dataset.short_name,
            "method": self.spec.method.model_dump(mode="json"),
            "training": self.spec.training.model_dump(mode="json"),
            "seed": self.spec.seed,
            "key": self.record.key,
            "commit": self.record.commit,
            "dirty": self.record.dirty,
            "finished": self.record.finished,
            "numbers": numbers,
        }

    def _reading(self) -> dict[str, Any]:
        """How files become the channels it takes, where its data set says so."""
        stated = self.wanted.decoding
        if stated.channels is None:
            return {}
        reading = Bands(channels=stated.channels, value_range=stated.value_range)
        return {"reading": reading.model_dump(mode="json")}

    def write(self, to: Path, names: str, numbers: dict[str, float]) -> None:
        """Write weights, config.json and README.md, each in one move."""
        with replacing(to / EXPORTED) as part:
            save_file(self.tensors(names), part, metadata={"format": "pt"})
        config = {**self.config(numbers), "names": names, "sha256": sha256_file(to / EXPORTED)}
        write_text(to / README, card(config, self.spec.encoder))
        write_json(to / CONFIG, config)


def measured(weights: Path) -> dict[str, float]:
    """Test metrics of every finished evaluation of a pretraining: ``knn on digits: top1`` -> value."""
    found: dict[str, float] = {}
    for file in sorted((weights.parents[1] / "evaluate").glob(f"*/{FILE}")):
        if read_json(file).get("inputs", {}).get("weights") == weights.name:
            record = read_record(file)
            data, protocol = record.spec["dataset"], record.spec["evaluation"]["use"]
            name = data.get("name") or data["use"]
            found |= {
                f"{protocol} on {name}: {number}": value
                for number, value in of_split("test", record.metrics).items()
                if value is not None
            }
    return found
