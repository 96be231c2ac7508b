"""Published figures as data, and which of them stands beside a measured one.

A published figure is never the expected value of a run here: data, network and schedule differ nearly always. So the
choice below is fixed, and what the figure was measured on is printed with it every time.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.tables import FIGURES

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
_REPOSITORIES = {
    "MoCo v1": ("facebookresearch/moco README",),
    "MoCo v1+FT": ("feature-transformation",),
    "MoCo v2": ("facebookresearch/moco README",),
    "MoCo v2+FT": ("feature-transformation",),
    "MoCo v3": ("facebookresearch/moco-v3 README",),
    "SimCLR": ("google-research/simclr README",),
    "SimCLR v2": ("google-research/simclr README",),
    "InstDisc": ("lemniscate README",),
    "CMC": ("CMC README",),
    "DIM": ("DIM README",),
    "AMDIM": ("AMDIM README",),
    "SwAV": ("facebookresearch/swav README",),
    "BYOL": ("google-deepmind byol README",),
    "SimSiam": ("facebookresearch/simsiam README",),
    "DINO": ("facebookresearch/dino README",),
    "MAE": ("facebookresearch/mae FINETUNE notes, linear probing (PyTorch", "facebookresearch/mae"),
    "Barlow Twins": ("facebookresearch/barlowtwins README",),
}
"""Published name of a method -> how the sources begin that are its authors' own, beside its paper; the first is nearest."""
_STRANGERS = 99
_VIT = {"tiny": "Tiny", "small": "S", "base": "B", "large": "L"}


@dataclass(frozen=True)
class Published:
    """One published figure. ``value`` in percent; ``epochs`` and ``backbone`` None where the source does not say."""

    method: str
    dataset: str
    backbone: str | None
    epochs: int | None
    protocol: str
    metric: str
    value: float
    source: str
    confirmed: bool
    linear_mode: str | None
    note: str | None
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


@dataclass(frozen=True)
class Wanted:
    """What a measured figure is, in the words of the published tables. ``backbone`` None: no published counterpart."""

    method: str
    dataset: str | None
    backbone: str | None
    epochs: int
    protocol: str
    settings: tuple[tuple[str, Any], ...] = ()


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
                settings = tuple(sorted(row.get("settings", {}).items()))
                found = {key: row.get(key) for key in Published.__dataclass_fields__}
                rows.append(Published(**{**found, "settings": settings}))
    return rows


def read_rows(path: Path) -> Any:
    """The value of a YAML file (safe loading)."""
    if not path.exists():
        raise InputError(f"{path}: no such file; it comes with the project: restore it from version control")
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def choose(rows: list[Published], wanted: Wanted) -> Published | None:
    """The row to print beside a measured top-1, or None when the method has none under this protocol.

    Method, protocol, metric and the options that were changed must agree exactly. Then: the same data set with the same
    backbone; confirmed before second-hand; the same data set, else ImageNet-1k, then any other; the same backbone, else
    ResNet-50; offline before online probes; the authors' own paper or repository before other people's runs; the nearest
    number of epochs (in the logarithm; unstated last); the paper before the repository; the higher value.
    """
    fitting = [row for row in rows if _fits(row, wanted)]

    def order(row: Published) -> tuple[Any, ...]:
        return (
            not is_same_setting(row, wanted),
            not row.confirmed,
            row.dataset != wanted.dataset,
            row.dataset != "ImageNet-1k",
            row.backbone != wanted.backbone,
            row.backbone != "ResNet-50",
            row.linear_mode == "online",
            _distance(row) == _STRANGERS,
            math.inf if row.epochs is None else abs(math.log(row.epochs / wanted.epochs)),
            _distance(row),
            -row.value,
            row.source,
        )

    return min(fitting, key=order, default=None)


def _fits(row: Published, wanted: Wanted) -> bool:
    """A figure of an ablation may leave the method's version open: MoCo stands for MoCo v1 and v2."""
    version_open = bool(row.settings) and re.fullmatch(rf"{re.escape(row.method)} v\d", wanted.method) is not None
    what = (row.protocol, row.metric, row.settings) == (wanted.protocol, "top1", wanted.settings)
    return what and (row.method == wanted.method or version_open)


def as_printed(value: float) -> str:
    """One decimal, or as many as the source prints."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def is_same_setting(row: Published, wanted: Wanted) -> bool:
    """Whether data set and backbone both are those of the measured run."""
    return (row.dataset, row.backbone) == (wanted.dataset, wanted.backbone)


def wanted_for(pretraining: PretrainSpec, evaluated: DataSet, protocol: str) -> Wanted | None:
    """A measured figure's place in the published tables; None for methods and protocols without published names."""
    method = method_name(pretraining.method)
    if method is None or protocol not in FIGURES:
        return None
    at_home = evaluated.short_name == pretraining.dataset.short_name
    return Wanted(
        method=method,
        dataset=_dataset_name(evaluated) if at_home else None,
        backbone=backbone_name(pretraining.encoder),
        epochs=pretraining.training.epochs,
        protocol=protocol,
    )


def method_name(method: MethodOptions) -> str | None:
    """The published name of a method; None for what has none (a transformed SimCLR, one side of feature transformation)."""
    transform = getattr(method, "feature_transform", None)
    if transform is not None and None in (transform.positive, transform.negative):
        return None
    return _METHODS.get(method.short_name)


def backbone_name(encoder: EncoderOptions) -> str | None:
    """The published name of an encoder; None for shapes nobody published (width 16, say)."""
    if isinstance(encoder, ResNet) and encoder.norm == "batch" and encoder.depth != 10:
        factor, rest = divmod(encoder.width, 64)
        return None if rest else f"ResNet-{encoder.depth}" + ("" if factor == 1 else f" ({factor}x)")
    if isinstance(encoder, ViT) and encoder.size in _VIT:
        return f"ViT-{_VIT[encoder.size]}/{encoder.patch}"
    return None


def _dataset_name(dataset: DataSet) -> str | None:
    """The published name of a whole data set; None for a part of one, or one's own."""
    name = str(getattr(dataset, "name", None) or dataset.use).replace("-", "").lower()
    return None if dataset.limit else _DATASETS.get(name)


def _distance(row: Published) -> int:
    """From the authors: 0 their paper, then their repositories in the order above, last everybody else."""
    known = (f"{row.method} paper", *_REPOSITORIES.get(row.method, ()))
    return next((place for place, start in enumerate(known) if row.source.startswith(start)), _STRANGERS)
