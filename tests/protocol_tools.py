"""Every protocol on features found in the folder, with options that go through its branches, on small clear features."""

import importlib
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

import pipelines.evaluation as room
from pipelines.evaluation.features import Features
from pipelines.evaluation.zero_shot import ImagesAndTexts
from pipelines.spec import kinds
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.low_shot import Options as LowShot
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot

SPECS = "pipelines.spec.evaluation"


def on_features(name: str) -> bool:
    kind = kinds.options_of(SPECS, name)
    assert issubclass(kind, Protocol)
    return not kind.on_images and kind.targets == "labels"


PROTOCOLS = {
    name: importlib.import_module(f"{room.__name__}.{name}") for name in kinds.names(SPECS) if on_features(name)
}
OPTIONS: dict[str, list[Any]] = {
    "knn": [Knn(k=5), Knn(k=(3, 10, 1)), Knn(k=5, leave_one_out=True)],
    "linear": [Linear(least_steps=40, epochs=1), Linear(least_steps=40, epochs=1, lrs=(3.0,))],
    "few_shot": [
        FewShot(shots=(1, 4), draws=3, strengths=(1e-2, 1.0, 1e4)),
        FewShot(shots=(4,), draws=1, strengths=(1.0,)),
        FewShot(shots=(1, 4), draws=2, classifier="centroid"),
        FewShot(ways=3, shots=(1, 4), draws=5, queries=5),
        FewShot(ways=3, shots=(2,), draws=5, queries=5, classifier="logistic"),
    ],
    "low_shot": [
        LowShot(labels=(0.1, 2), probe=Linear(least_steps=40, epochs=1)),
        LowShot(labels=(0.2,), probe=Linear(least_steps=40, epochs=1, lrs=(3.0,))),
    ],
    "zero_shot": [ZeroShot()],
}
CASES = [(name, options) for name, each in OPTIONS.items() for options in each]
NAMES = [f"{name}-{number}" for name, each in OPTIONS.items() for number in range(len(each))]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(num_classes: int = 4, each: int = 40, test: int = 20) -> Features:
    """Overlapping normal classes, in the order 0 1 2 3 0 1 2 3; every fifth row of train is held out."""
    centres = 2 * torch.randn(num_classes, 8, generator=seeded())
    label, test_label = torch.arange(num_classes * each) % num_classes, torch.arange(num_classes * test) % num_classes
    rows = centres[label] + torch.randn(len(label), 8, generator=seeded(1))
    asked = centres[test_label] + torch.randn(len(test_label), 8, generator=seeded(2))
    return Features(rows, label, torch.arange(0, len(rows), 5), asked, test_label, num_classes)


def suited(name: str, given: Features) -> Any:
    """The same images as the protocol takes them: with texts for the one that reads names."""
    if name != "zero_shot":
        return given
    means = torch.stack([given.train[given.train_label == c].mean(0) for c in range(given.num_classes)])
    return ImagesAndTexts(F.normalize(given.test, dim=1), given.test_label, F.normalize(means, dim=1).unsqueeze(1))


def measured(name: str, options: Any, given: Features | ImagesAndTexts, seed: int = 0) -> Any:
    """What the protocol returns; ``given``: Features, or already what it takes."""
    taken = suited(name, given) if isinstance(given, Features) else given
    return PROTOCOLS[name].measure(options, taken, seeded(seed))


def changed(given: Features, **changes: Any) -> Features:
    return replace(given, **changes)
