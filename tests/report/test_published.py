"""Published figures: the files keep their schema, and the right row stands beside a measured one."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputError
from pipelines.report.published import WantedFigure, choose, is_same_setting, wanted_for
from pipelines.spec.datasets.voc_detection import Options as VocDetection
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.evaluation.detection import Options as Detection
from pipelines.spec.methods import AnyMethod
from pipelines.spec.parse import parse
from pipelines.spec.plan import plan_file
from pipelines.spec.published import (
    DETECTION,
    REQUIRED,
    Published,
    backbone_name,
    load_published,
    method_name,
    published_protocol,
    read_rows,
)

FOLDER = Path(__file__).parents[2] / "reports" / "published"
PROTOCOL = re.compile(r"linear|knn|finetune|semi_1pct|semi_10pct|fewshot|zeroshot|supervised|transfer:[\w+-]+")


@pytest.fixture(scope="module")
def rows() -> list[Published]:
    return load_published(FOLDER)


@pytest.mark.parametrize("name", ["published.yaml", "published_extra.yaml"])
def test_every_row_has_its_keys_and_lies_in_range(name: str) -> None:
    found = read_rows(FOLDER / name)
    assert len(found) > 200
    for row in found:
        assert set(REQUIRED) <= set(row), row
        assert 0 < row["value"] <= 100, row
        assert PROTOCOL.fullmatch(row["protocol"]), row
        assert row["epochs"] is None or row["epochs"] > 0, row
        assert row["batch_size"] is None or row["batch_size"] > 0, row
        assert isinstance(row["confirmed"], bool), row
        assert row["source"], row


def test_a_figure_of_an_ablation_stands_beside_its_own_setting_alone(rows: list[Published]) -> None:
    plain = WantedFigure("MoCo v2", "ImageNet-100", "ResNet-50", 100, "linear")
    found = {m: choose(rows, replace(plain, settings=(("momentum", m),))) for m in (0.5, 0.9, 0.99, 0.999, 1.0)}
    assert {m: match and match.value for m, match in found.items()} == {
        0.5: None,
        0.9: 46.5,
        0.99: 56.2,
        0.999: 53.1,
        1.0: 31.2,
    }
    match = choose(rows, plain)
    assert match is not None
    assert not match.settings
    assert choose(rows, replace(plain, method="SimCLR", settings=(("momentum", 0.99),))) is None
    table = next(
        table for table in read_rows(FOLDER / "ft_iccv21.yaml")["tables"] if table["id"] == "momentum_accuracy"
    )
    assert {row["m"]: row["value"] for row in table["rows"]} == {m: match.value for m, match in found.items() if match}


def test_the_feature_transformation_tables_agree_with_the_common_file(rows: list[Published]) -> None:
    tables = {table["id"]: table for table in read_rows(FOLDER / "ft_iccv21.yaml")["tables"]}
    linear = {(row["method"], row["ft"]): row["value"] for row in tables["in1k_linear"]["rows"]}
    for version in ("v1", "v2"):
        wanted = WantedFigure(f"MoCo {version}+FT", "ImageNet-1k", "ResNet-50", 200, "linear")
        match = choose(rows, wanted)
        assert match is not None
        assert match.value == linear[f"MoCo-{version}", True]


def test_recipes_have_what_a_recipe_needs() -> None:
    for row in read_rows(FOLDER / "solo_learn_recipes.yaml"):
        assert {"method", "dataset", "backbone", "optimizer", "base_lr", "epochs", "global_batch"} <= set(row)
        assert 0 < row["base_lr"] < 10


@pytest.mark.parametrize(
    ("wanted", "value", "measured_on"),
    [
        (WantedFigure("MoCo v2", "ImageNet-1k", "ResNet-50", 200, "linear"), 67.5, "ImageNet-1k, ResNet-50, 200 ep"),
        (WantedFigure("MoCo v2", "ImageNet-1k", "ResNet-50", 800, "linear"), 71.1, "ImageNet-1k, ResNet-50, 800 ep"),
        (WantedFigure("MoCo v2", "Fashion-MNIST", None, 20, "linear"), 67.5, "ImageNet-1k, ResNet-50, 200 ep"),
        (
            WantedFigure("MoCo v2", "CIFAR-10", "ResNet-18", 1000, "linear"),
            92.94,
            "CIFAR-10, ResNet-18, 1000 ep, online probe",
        ),
        (WantedFigure("MoCo v2", "ImageNet-100", "ResNet-18", 400, "linear"), 79.28, "ImageNet-100, ResNet-18, 400 ep"),
        (WantedFigure("MoCo v1", None, None, 20, "linear"), 60.6, "ImageNet-1k, ResNet-50, 200 ep"),
        (WantedFigure("MoCo v3", "ImageNet-1k", "ResNet-50", 100, "linear"), 68.9, "ImageNet-1k, ResNet-50, 100 ep"),
        (WantedFigure("SwAV", "ImageNet-1k", "ResNet-50", 400, "linear"), 74.6, "ImageNet-1k, ResNet-50, 400 ep"),
        (WantedFigure("MAE", "ImageNet-1k", "ViT-B/16", 1600, "linear"), 67.8, "ImageNet-1k, ViT-B/16, 1600 ep"),
        (
            WantedFigure("InstDisc", "CIFAR-10", "ResNet-18", 200, "knn"),
            80.8,
            "CIFAR-10, ResNet-18, epochs not stated, second-hand",
        ),
    ],
)
def test_the_row_that_is_chosen(rows: list[Published], wanted: WantedFigure, value: float, measured_on: str) -> None:
    match = choose(rows, wanted)
    assert match is not None
    assert (match.value, match.measured_on) == (value, measured_on)


@pytest.mark.parametrize(
    ("method", "epochs", "found"),
    [
        ("MoCo v1", 200, (55.9, 81.5, 62.6)),
        ("MoCo v2", 800, (57.4, 82.5, 64.0)),
        ("SimSiam", 100, (56.4, 82.0, 62.8)),  # its plain recipe, not the one that it tuned for transfer
        ("Barlow Twins", 1000, (None, None, None)),  # its source names no detector
    ],
)
def test_of_detection_a_figure_has_the_detector_too(
    rows: list[Published], method: str, epochs: int, found: tuple[float | None, ...]
) -> None:
    for (protocol, metric), value in zip(DETECTION.values(), found, strict=True):
        match = choose(rows, WantedFigure(method, "ImageNet-1k", "ResNet-50", epochs, protocol, metric=metric))
        assert (match.value if match else None) == value


def test_detection_set_up_otherwise_or_on_other_images_has_no_figure() -> None:
    assert published_protocol(Detection(), "ap50") == "detection_ap50"
    assert published_protocol(Detection(), "ap/cat") is None
    assert published_protocol(Detection(iterations=12_000), "ap50") is None
    study = FOLDER.parents[1] / "experiments" / "imagenet1k_detection.yaml"
    trained = plan_file(study).of("pretrain")[0].spec
    wanted = wanted_for(trained, VocDetection(folder="data/voc"), "detection_ap50")
    assert wanted
    assert (wanted.dataset, wanted.backbone, wanted.metric) == ("ImageNet-1k", "ResNet-50", "AP50")
    assert wanted_for(trained, VocDetection(folder="data/voc", trainval="07"), "detection_ap50") is None
    assert wanted_for(trained, trained.dataset, "detection_ap50") is None


def test_methods_and_protocols_are_never_mixed_up(rows: list[Published]) -> None:
    for method in ("MoCo v1", "MoCo v2", "MoCo v2+FT", "SimCLR", "SimCLR v2", "BYOL"):
        for protocol in ("knn", "linear", "finetune"):
            match = choose(rows, WantedFigure(method, "CIFAR-10", "ResNet-18", 100, protocol))
            assert match is None or (match.method, match.protocol, match.metric) == (method, protocol, "top1")
    assert choose(rows, WantedFigure("MoCo v2+FT", "ImageNet-1k", "ResNet-50", 200, "knn")) is None


def test_probes_with_few_labels_are_another_protocol(rows: list[Published]) -> None:
    few = [row for row in read_rows(FOLDER / "published.yaml") if row.get("train_labels") and row["method"] == "SimCLR"]
    assert few
    sources = {row["source"] for row in few}
    assert not any(row.source in sources for row in rows)


def test_second_hand_rows_only_where_there_is_nothing_better(rows: list[Published]) -> None:
    match = choose(rows, WantedFigure("SimCLR", "Fashion-MNIST", None, 20, "linear"))
    assert match is not None
    assert match.confirmed
    last = choose(rows, WantedFigure("InvaSpread", "CIFAR-10", "ResNet-18", 100, "knn"))
    assert last is not None
    assert last.measured_on.endswith("second-hand")


def test_same_setting_needs_both_data_and_backbone(rows: list[Published]) -> None:
    here = WantedFigure("MoCo v2", "CIFAR-10", "ResNet-18", 200, "linear")
    match = choose(rows, here)
    assert match is not None
    assert is_same_setting(match, here)
    assert not is_same_setting(match, WantedFigure("MoCo v2", "CIFAR-10", None, 200, "linear"))


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ({"use": "moco", "version": 1, "feature_transform": None}, "MoCo v1"),
        (
            {"use": "moco", "version": 2, "feature_transform": {"positive": {"alpha": 2.0}}},
            "MoCo v2+FT",
        ),
        ({"use": "moco", "version": 2, "feature_transform": {"negative": None}}, None),
        ({"use": "simclr"}, "SimCLR"),
        ({"use": "simclr", "version": 2}, "SimCLR v2"),
        ({"use": "simclr", "feature_transform": {"positive": {"alpha": 2.0}}}, None),
    ],
)
def test_published_name_of_a_method(method: dict[str, Any], name: str | None) -> None:
    assert method_name(parse(AnyMethod, method, "")) == name


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        ({"use": "resnet", "depth": 50, "width": 64}, "ResNet-50"),
        ({"use": "resnet", "depth": 50, "width": 128}, "ResNet-50 (2x)"),
        ({"use": "resnet", "depth": 18, "width": 16}, None),
        ({"use": "resnet", "depth": 18, "width": 64, "norm": "group"}, None),
        ({"use": "vit", "size": "small", "patch": 16}, "ViT-S/16"),
        ({"use": "vit", "size": "micro", "patch": 4}, None),
    ],
)
def test_published_name_of_an_encoder(encoder: dict[str, Any], name: str | None) -> None:
    assert backbone_name(parse(AnyEncoder, encoder, "")) == name


@pytest.mark.parametrize(("width", "name"), [(32, "ResNet-50 (two half-width)"), (64, "ResNet-50 (2x)"), (48, None)])
def test_two_encoders_side_by_side_are_named_by_both(width: int, name: str | None) -> None:
    assert backbone_name(parse(AnyEncoder, {"use": "resnet", "depth": 50, "width": width}, ""), branches=2) == name


def test_a_row_without_a_required_key_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "published.yaml").write_text("- {method: MoCo v2, value: 1.0}\n")
    with pytest.raises(InputError, match=r"published\.yaml: row 0 lacks dataset, backbone"):
        load_published(tmp_path)
