"""What a study reproduces: rows and figures are found and compared before anything runs."""

import re
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.plan import Plan, plan_file

STUDY = """
question: Is it as good as published?
dataset: {{use: cifar10, holdout: 0.02}}
encoder: {{use: resnet, depth: 18, stem: small}}
methods:
  - {{recipe: byol/cifar}}
  - {{recipe: simsiam/cifar, grid: {{training.epochs: [800, 400]}}}}
seeds: [0, 1, 2]
floors: false
evaluation: [{{use: linear}}, {{use: knn, k: 200}}, {{use: finetune}}, {{use: finetune, label_share: 0.01}}]
reproduces:
  - {line}
{more}
"""
BYOL = "{method: byol, published: solo-learn.cifar10.byol, within: 0.5, differs: [online, features, holdout]}"
SIMSIAM = (
    "{method: simsiam, at: {training.epochs: 800}, metric: linear, published: simsiam-paper.cifar10.simsiam, within: 0.5, "
    "differs: [features, holdout]}"
)


def planned(folder: Path, line: str, more: str = "") -> Plan:
    file = folder / "study.yaml"
    file.write_text(STUDY.format(line=line, more=more))
    return plan_file(file)


def test_a_line_finds_its_row_and_its_figure(tmp_path: Path) -> None:
    found = planned(tmp_path, f"{BYOL}\n  - {SIMSIAM}")
    byol, simsiam = found.reproductions
    assert (byol.label, byol.number, byol.dataset, byol.figure.value) == ("byol", "linear/top1", "cifar10", 92.58)
    assert byol.figure.source.startswith("solo-learn README")
    assert len(byol.differs) == 3
    assert (simsiam.label, simsiam.figure.value) == ("simsiam[epochs=800]", 91.8)
    assert [line["figure"]["id"] for line in found.dump()["reproduces"]] == [byol.figure.id, simsiam.figure.id]


def test_a_study_without_figures_says_nothing_of_them(tmp_path: Path) -> None:
    assert "reproduces" in planned(tmp_path, BYOL).dump()
    file = tmp_path / "plain.yaml"
    file.write_text("question: Q?\nscale: digits\nmethods: [{recipe: byol}]\n")
    assert "reproduces" not in plan_file(file).dump()


def test_evaluations_of_one_kind_are_told_apart_by_an_option(tmp_path: Path) -> None:
    line = BYOL.replace("published:", "metric: 'finetune[label_share=0.01]', published:")
    with pytest.raises(InputError, match="byol is of protocol linear, the row of semi_1pct"):
        planned(tmp_path, line)
    with pytest.raises(InputError, match=re.escape("add an option that tells them apart: finetune[OPTION=VALUE]")):
        planned(tmp_path, BYOL.replace("published:", "metric: finetune, published:"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            BYOL.replace("cifar10.byol", "cifar10.byool"),
            "reproduces[0].published: no figure of reports/published has the id 'solo-learn.cifar10.byool'; did you mean",
        ),
        (BYOL.replace("method: byol", "method: moco"), "reproduces[0].method: the study has no method 'moco'"),
        (
            BYOL.replace("published: solo-learn.cifar10.byol", "published: solo-learn.cifar10.simsiam"),
            "solo-learn.cifar10.simsiam is of method SimSiam, the row of BYOL",
        ),
        (BYOL.replace("cifar10.byol", "cifar100.byol"), "is of data set CIFAR-100, the row of CIFAR-10"),
        (BYOL.replace("published:", "metric: knn, published:"), "is of protocol linear, the row of knn"),
        (
            BYOL.replace("[online, features, holdout]", "[holdout]"),
            "are not measured alike: online (the published probe",
        ),
        (BYOL.replace("[online,", "[epochs, online,"), "reproduces[0].differs: they do not differ in epochs"),
        (
            SIMSIAM.replace("at: {training.epochs: 800}, ", ""),
            "reproduces[0]: simsiam names 2 rows (simsiam[epochs=8",
        ),
        (SIMSIAM.replace("800", "400"), "epochs (800 epochs there, 400 here)"),
        (BYOL.replace("within: 0.5", "within: 0"), "reproduces[0].within: "),
        (BYOL.replace("method: byol", "floor: pixels"), "a published figure is of a method with settings as published"),
        (f"{BYOL}\n  - {BYOL}", "reproduces[1]: the same row and figure as line 0"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        planned(tmp_path, line)
    assert str(error.value).startswith(f"{tmp_path / 'study.yaml'}: ")


KNN = (
    "{method: byol, metric: knn, published: lightly.cifar10.byol.knn.800x512, within: 1.0, "
    "differs: [best_epoch, epochs, batch_size, holdout]}"
)
TABLE = "tables: [{{name: published_ones, caption: C., rows: methods, columns: [{columns}]}}]"


@pytest.mark.parametrize(
    ("lines", "columns", "message"),
    [
        (
            BYOL,
            "{reproduces: knn}",
            "reproduces knn/top1 on cifar10: no row of the table is set against a figure of it",
        ),
        (
            f"{BYOL}\n  - {SIMSIAM}",
            "{reproduces: linear}",
            "two protocols under one header: linear, online (solo-learn.cifar10.byol); linear (simsiam-paper",
        ),
        (BYOL, "{metric: linear, source: solo}", "source and by choose among the figures of reproduces and published"),
    ],
)
def test_two_protocols_are_never_printed_under_one_header(
    lines: str, columns: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        planned(tmp_path, lines, TABLE.format(columns=columns))


def test_a_source_makes_a_column_of_one_protocol(tmp_path: Path) -> None:
    columns = "linear, {reproduces: linear, source: solo-learn}, {reproduces: linear, source: SimSiam paper}, {reproduces: knn}"
    (table,) = planned(tmp_path, f"{BYOL}\n  - {SIMSIAM}\n  - {KNN}", TABLE.format(columns=columns)).tables
    assert [column.source for column in table.columns] == ["", "solo-learn", "SimSiam paper", ""]
