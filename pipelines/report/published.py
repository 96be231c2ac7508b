"""Which published figure stands beside a measured one.

A published figure is never the expected value of a run here: data, network and schedule differ nearly always. So the
choice below is fixed, and what the figure was measured on is printed with it every time.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from pipelines.spec.datasets.base import DataSet
from pipelines.spec.datasets.voc_detection import Options as VocDetection
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.published import DETECTION, DETECTOR, Published, backbone_name, dataset_name, method_name
from pipelines.spec.tables import FIGURES

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
UNCONFIRMED = "?"
UNCONFIRMED_MEANS = f"{UNCONFIRMED} Not confirmed: read off a plot, inferred, or second-hand."


@dataclass(frozen=True)
class WantedFigure:
    """What a measured figure is, in the words of the published tables. ``backbone`` None: no published counterpart.

    dataset: what it was measured on, of detection what it was pretrained on, as in those tables.
    """

    method: str
    dataset: str | None
    backbone: str | None
    epochs: int
    protocol: str
    settings: tuple[tuple[str, Any], ...] = ()
    metric: str = "top1"


def choose(rows: list[Published], wanted: WantedFigure) -> Published | None:
    """The row to print beside a measured number, or None when the method has none under this protocol.

    Method, protocol, metric and the options that were changed must agree exactly; of detection the detector too. Then: the
    same data set with the same backbone; confirmed before second-hand; the same data set, else ImageNet-1k, then any other;
    the same backbone, else ResNet-50; offline before online probes; the authors' own paper or repository before other
    people's runs; the nearest number of epochs (in the logarithm; unstated last); the paper before the repository; the
    higher value.
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


def _fits(row: Published, wanted: WantedFigure) -> bool:
    """A figure of an ablation may leave the method's version open: MoCo stands for MoCo v1 and v2."""
    version_open = bool(row.settings) and re.fullmatch(rf"{re.escape(row.method)} v\d", wanted.method) is not None
    what = (row.protocol, row.metric, row.settings) == (wanted.protocol, wanted.metric, wanted.settings)
    if (wanted.protocol, wanted.metric) in DETECTION.values() and DETECTOR not in (row.detector or ""):
        return False
    return what and (row.method == wanted.method or version_open)


def as_printed(value: float) -> str:
    """One decimal, or as many as the source prints."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def is_same_setting(row: Published, wanted: WantedFigure) -> bool:
    """Whether data set and backbone both are those of the measured run."""
    return (row.dataset, row.backbone) == (wanted.dataset, wanted.backbone)


def wanted_for(pretraining: PretrainSpec, evaluated: DataSet, protocol: str | None) -> WantedFigure | None:
    """A measured figure's place in the published tables; None for methods and protocols without published names."""
    method = method_name(pretraining.method)
    if method is None or protocol is None or protocol not in FIGURES:
        return None
    backbone = backbone_name(pretraining.encoder, pretraining.method.branches)
    epochs = pretraining.training.epochs
    if protocol in DETECTION:
        if not isinstance(evaluated, VocDetection) or evaluated.limit or evaluated.trainval != "07+12":
            return None
        place, metric = DETECTION[protocol]
        return WantedFigure(method, dataset_name(pretraining.dataset), backbone, epochs, place, metric=metric)
    at_home = evaluated.short_name == pretraining.dataset.short_name
    return WantedFigure(
        method=method,
        dataset=dataset_name(evaluated) if at_home else None,
        backbone=backbone,
        epochs=epochs,
        protocol=protocol,
    )


def _distance(row: Published) -> int:
    """From the authors: 0 their paper, then their repositories in the order above, last everybody else."""
    known = (f"{row.method} paper", *_REPOSITORIES.get(row.method, ()))
    return next((place for place, start in enumerate(known) if row.source.startswith(start)), _STRANGERS)
