"""Published figures as data: what others measured, with which network, for how long, by which protocol, and where it stands."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.detection import Options as Detection
from pipelines.spec.evaluation.finetune import Options as Finetune
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.parse import parse
from pipelines.spec.recipes import RECIPES

PUBLISHED = RECIPES.parents[1] / "reports" / "published"
"""The project's own files."""
FILES = ("published.yaml", "published_extra.yaml", "ablations.yaml")
REQUIRED = (
    "method",
    "dataset",
    "backbone",
    "epochs",
    "batch_size",
    "protocol",
    "metric",
    "value",
    "source",
    "confirmed",
)
_METHODS = {
    "moco_v1": "MoCo v1",
    "moco_v1_ft": "MoCo v1+FT",
    "moco_v2": "MoCo v2",
    "moco_v2_ft": "MoCo v2+FT",
    "moco_v3": "MoCo v3",
    "simclr": "SimCLR",
    "simclr_v2": "SimCLR v2",
    "supervised": "supervised",
    "instdisc": "InstDisc",
    "invaspread": "InvaSpread",
    "cpc": "CPC",
    "cmc": "CMC",
    "dim": "DIM",
    "amdim": "AMDIM",
    "pirl": "PIRL",
    "swav": "SwAV",
    "byol": "BYOL",
    "simsiam": "SimSiam",
    "dino": "DINO",
    "clip": "CLIP",
    "mae": "MAE",
    "barlow_twins": "Barlow Twins",
    "vicreg": "VICReg",
}
"""Short name of a method -> its name in the published files."""
_DATASETS = {
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "stl10": "STL-10",
    "imagenet": "ImageNet-1k",
    "imagenet1k": "ImageNet-1k",
    "imagenet100": "ImageNet-100",
    "imagenette": "Imagenette",
}
_LABEL_SHARES = {0.01: "semi_1pct", 0.1: "semi_10pct", 1.0: "finetune"}
"""Share of the labels that fine-tuning uses -> the published protocol."""
DETECTION = {f"detection_{name}": ("transfer:VOC07+12-det", name.upper()) for name in ("ap", "ap50", "ap75")}
"""Our name of a published number of detection -> protocol and metric in the files; all other protocols measure top-1."""
DETECTOR = "C4"
"""What the detector of a figure has to be said to be, for it to be measured as MoCo's is."""
_VIT = {"tiny": "Tiny", "small": "S", "base": "B", "large": "L"}


class Published(Model):
    """One published figure. ``value`` in percent; None wherever the source does not say."""

    id: str | None = None
    """What a study's ``reproduces`` calls it; only figures that studies name have one."""
    method: str
    dataset: str
    backbone: str | None
    epochs: int | None
    batch_size: int | None = None
    """Images a step over all processes."""
    protocol: str
    metric: str
    value: float
    source: str
    confirmed: bool
    linear_mode: Literal["online", "offline"] | None = None
    """Whether the probe learnt beside the encoder."""
    probe_images: Literal["plain"] | None = None
    """plain: the probe learnt from features of images as they are; None: as usual from crops and flips, or not said."""
    knn_k: int | None = None
    """Neighbours that voted."""
    selection: str | None = None
    """Which epoch it is of, where that is not the last."""
    note: str | None = None
    detector: str | None = None
    """What was fine-tuned for detection."""
    settings: tuple[tuple[str, Any], ...] = ()
    """(option, value): what the run changed of its method, for a figure of an ablation."""

    @property
    def measured_on(self) -> str:
        """``ImageNet-1k, ResNet-50, 200 ep``, with what else sets the figure apart."""
        parts = [
            self.dataset,
            self.backbone or "network not stated",
            "epochs not stated" if self.epochs is None else f"{self.epochs} ep",
        ]
        if self.linear_mode == "online":
            parts.append("online probe")
        if not self.confirmed:
            parts.append("second-hand")
        return ", ".join(parts)

    @property
    def measured_by(self) -> str:
        """The protocol, with all that would make another one of it: ``knn of 200, best epoch``."""
        parts = [self.protocol + (f" of {self.knn_k}" if self.knn_k else "")]
        parts += ["plain images"] if self.probe_images else []
        parts += ["online"] if self.linear_mode == "online" else []
        return ", ".join([*parts, *([self.selection] if self.selection else [])])


def published_protocol(evaluation: Protocol, name: str) -> str | None:
    """What published tables call one number of an evaluation; None for what has no published name."""
    if evaluation == Detection():  # MoCo's set-up; with any other option no figure is measured alike
        return f"detection_{name}" if f"detection_{name}" in DETECTION else None
    if name != "top1":
        return None
    if isinstance(evaluation, Finetune):
        return None if evaluation.labels_per_class else _LABEL_SHARES.get(evaluation.label_share)
    if isinstance(evaluation, Knn):
        return "knn"
    return "linear" if evaluation.use in ("linear", "linear_augmented") else None


def load_published(folder: Path) -> list[Published]:
    """All rows of published.yaml, published_extra.yaml and ablations.yaml that measure a full, unrestricted protocol.

    Rows probed with fewer labels than there are (``train_labels``) or by another head are other protocols and left out.
    Raises InputError naming file and row when a required key is missing.
    """
    rows = []
    for name in FILES:
        for number, row in enumerate(read_rows(folder / name)):
            lacking = [key for key in REQUIRED if key not in row]
            if lacking:
                raise InputError(f"{folder / name}: row {number} lacks {', '.join(lacking)}")
            if "train_labels" not in row and "head" not in row:
                found = {key: row[key] for key in Published.model_fields if key in row}
                settings = tuple(sorted(row.get("settings", {}).items()))
                rows.append(parse(Published, {**found, "settings": settings}, f"{folder / name}: row {number}"))
    _check_ids(rows, folder)
    return rows


def _check_ids(rows: Iterable[Published], folder: Path) -> None:
    """InputError where two figures have one id."""
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise InputError(f"{folder}: two figures have the id {row.id}; give one of them another")
        seen |= {row.id} if row.id else set()


def read_rows(path: Path) -> Any:
    """The value of a YAML file (safe loading)."""
    if not path.exists():
        raise InputError(f"{path}: no such file; it comes with the project: restore it from version control")
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def method_name(method: MethodOptions) -> str | None:
    """The published name of a method; None for what has none (a transformed SimCLR, one side of feature transformation)."""
    transform = getattr(method, "feature_transform", None)
    if transform is not None and None in (transform.positive, transform.negative):
        return None
    return _METHODS.get(method.short_name)


def backbone_name(encoder: EncoderOptions, branches: int = 1) -> str | None:
    """The published name of an encoder; None for shapes nobody published (width 16, say).

    branches: as many of them, side by side, make the features; tables name two of them (CMC) by their width together.
    """
    if isinstance(encoder, ResNet) and encoder.norm == "batch" and encoder.depth != 10:
        if (branches, encoder.width) == (2, 32):
            return f"ResNet-{encoder.depth} (two half-width)"
        factor, rest = divmod(branches * encoder.width, 64)
        return None if rest else f"ResNet-{encoder.depth}" + ("" if factor == 1 else f" ({factor}x)")
    if isinstance(encoder, ViT) and encoder.size in _VIT and branches == 1:
        return f"ViT-{_VIT[encoder.size]}/{encoder.patch}"
    return None


def dataset_name(dataset: DataSet) -> str | None:
    """The published name of a whole data set; None for a part of one, or one's own."""
    name = str(getattr(dataset, "name", None) or dataset.use).replace("-", "").lower()
    return None if dataset.limit else _DATASETS.get(name)
