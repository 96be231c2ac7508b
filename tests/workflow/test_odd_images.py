"""Images as people have them, from their files to the report: each odd data set is packed, trained on and measured."""

import csv
import io
import math
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_tools import encoded, image, noise
from study_tools import Made

from pipelines.cli import main
from pipelines.sources.index import Index, load_index
from pipelines.spec.contents import packed_contents

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Does every odd data set come through?
datasets:
  - {{use: imagefolder, name: folders, folder: "{root}/Fotos für Ärzte 日本", image_size: 16}}
  - {{use: webdataset, name: tars, train: "{root}/train.tar", test: "{root}/test.tar", holdout: 0.25, image_size: 16}}
  - {{use: imagefolder, name: blank, folder: "{root}/blank", holdout: 0.25}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr, label: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8, precision: float32, online_knn_epochs: 1}}
evaluation:
  - {{use: knn, k: 3}}
  - {{use: linear, least_steps: 10, epochs: 1}}
  - {{use: few_shot, ways: 2, shots: [1], queries: 1, draws: 3}}
  - {{use: low_shot, labels: [0.5], probe: {{least_steps: 10, epochs: 1}}}}
  - {{use: finetune, epochs: 1}}
  - {{use: linear_augmented, epochs: 1, batch_size: 8, lrs: [0.1, 1.0]}}
floors: false
"""
SHAPES = ((1, 300, 3), (400, 3, 3), (1, 1, 3), (33, 17))


def folders(root: Path) -> None:
    """train and valid; names with spaces and letters of other languages; hidden folders, files without ending, strips of
    one pixel; one image of a class, which valid lacks."""
    for split, count in (("train", 8), ("valid", 3)):
        for seed, name in enumerate(("große Katze", "猫 и пёс")):
            for number in range(count):
                image(root / split / name / f"Bild {number} ü.png", seed=100 * seed + number + count, side=16)
    for number, shape in enumerate(SHAPES):
        (root / "train" / "große Katze" / f"strip{number}.png").write_bytes(encoded(noise(1, *shape)[0]))
    image(root / "train" / "single" / "only.png", seed=7)
    image(root / "train" / "猫 и пёс" / "f_00a1b2", seed=8, kind="jpeg")  # as browsers keep them
    inside = ("train/.thumbnails", "train/große Katze/.hidden", "valid/.ipynb_checkpoints")
    for hidden in (".cache", *inside):
        image(root / hidden / "x.png")
    (root / "train" / "große Katze" / "notes.txt").write_text("no image")


def tar(members: list[tuple[str, bytes | str]]) -> bytes:
    """A tar of (name, bytes), or of (name, the earlier member that it is a hard link to)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.LNKTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def samples(first: int, labels: list[str], seed: int) -> list[tuple[str, bytes | str]]:
    images = [encoded(each) for each in noise(len(labels), 12, 20, 3, seed=seed)]
    return [
        member
        for number, (data, label) in enumerate(zip(images, labels), first)
        for member in ((f"s{number:03d}.png", data), (f"s{number:03d}.json", f'{{"label": "{label}"}}'.encode()))
    ]


def tars(root: Path) -> None:
    """Two tars joined by cat, members that are links, labels as text such as 1.0, class numbers with gaps; test lacks 40."""
    one, other = samples(0, ["1.0", "7.0"] * 5, 0), samples(50, ["7", "40.0", "40"] * 4, 1)
    other += [("linked.png", "s050.png"), ("linked.json", "s050.json")]
    (root / "train.tar").write_bytes(tar(one) + tar(other))
    (root / "test.tar").write_bytes(tar(samples(0, ["1", "7.0", "7"] * 2, 2)))


def blank(root: Path) -> None:
    """No blue in any image, no split folders, and a class of one image, which test therefore lacks."""
    for seed, (name, count) in enumerate({"a": 14, "b": 12, "rare": 1}.items()):
        (root / name).mkdir(parents=True)
        for number, pixels in enumerate(noise(count, 16, 16, 3, seed=seed)):
            pixels[..., 2] = 0
            (root / name / f"{number}.png").write_bytes(encoded(pixels))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """Everything run, and the report written."""
    root = tmp_path_factory.mktemp("odd")
    folders(root / "Fotos für Ärzte 日本")
    tars(root)
    blank(root / "blank")
    made = Made.of(STUDY.format(root=root), root)
    made.run(*made.plan.of("pretrain"))
    for shards in made.plan.of("shards"):  # one call a data set: its features are made once
        jobs = [str(job.folder(made.results)) for job in made.plan.of("evaluate") if job.inputs["shards"] == shards.key]
        assert main(["evaluate", "--job", *jobs]) == 0
    study = made.results / "study"
    for stage, more in (("collect", []), ("report", ["--texts", str(REPORTS)])):
        where = ["--plan", str(study / "plan.json"), "--results", str(made.results), "--out", str(study)]
        assert main([stage, *where, *more]) == 0
    return made


def index(made: Made, name: str) -> Index:
    return load_index(shards(made, name).folder(made.results))


def shards(made: Made, name: str):
    return next(job for job in made.plan.of("shards") if job.spec.dataset.short_name == name)


def page(made: Made) -> str:
    return (made.results / "study" / "report.html").read_text(encoding="utf-8")


def test_every_evaluation_of_every_data_set_has_finite_numbers_and_stands_in_the_report(made):
    assert len(made.plan.of("evaluate")) == 18
    for job in made.plan.of("evaluate"):
        metrics = made.record(job)["metrics"]
        assert any(name.startswith("test/") for name in metrics)
        assert all(math.isfinite(value) for value in metrics.values()), (job.key, metrics)
    for job in made.plan.of("pretrain"):
        assert math.isfinite(made.record(job)["metrics"]["final/eval/online_knn"])
    for name in ("folders", "tars", "blank"):
        assert f'<section id="results-{name}">' in page(made)
    assert "have no record" not in page(made)


def test_folders_are_understood_and_what_they_lack_is_told(made):
    found = index(made, "folders")
    assert found.classes == ("große Katze", "single", "猫 и пёс")
    assert (found.count("train"), found.count("test")) == (8 + 4 + 1 + 8 + 1, 6)
    assert {kind: each["count"] for kind, each in found.skipped.items()} == {"housekeeping": 4, ".txt": 1}
    record = made.record(shards(made, "folders"))
    assert record["derived"]["classes_missing_from_test"] == "1: single"
    assert {"classes_missing_from_test", "classes_of_one_image"} <= set(record["flags"])
    assert found.unreadable == ()


def test_tars_joined_linked_and_numbered_with_gaps_keep_every_image(made):
    found = index(made, "tars")
    assert found.classes == ("1", "7", "40")
    assert found.class_counts["train"] == [5, 5 + 4 + 1, 8]
    assert found.class_counts["test"] == [2, 4, 0]
    assert found.equal["train"] == 1  # the linked one
    assert made.record(shards(made, "tars"))["derived"]["classes_missing_from_test"] == "1: 40"


def test_a_blank_channel_and_a_class_of_one_image_are_told_by_name(made):
    derived = made.record(shards(made, "blank"))["derived"]
    assert derived["constant_channels"] == "blue"
    assert derived["classes_of_one_image"] == derived["classes_missing_from_test"] == "1: rare"


def test_the_report_tells_what_was_found_in_each_data_set(made):
    with (made.results / "study" / "tables" / "data.csv").open(encoding="utf-8") as file:
        told, name = {}, ""
        for row in csv.DictReader(file):
            name = row["data set"] or name
            told[name, row["what"]] = row["found"]
    assert told["folders", "layout"] == "train: train/; test: valid/; choices: 10% of train, 10,000 at most; 3 classes"
    assert told["folders", "train"].endswith("held out for choices; große Katze: 12, single: 1, 猫 и пёс: 9")
    assert told["folders", "test"] == "6 images; große Katze: 3, single: 0, 猫 и пёс: 3"
    assert told["folders", "classes missing from test"] == "1: single"
    assert (
        told["folders", "sizes"]
        == "1 to 300 pixels wide, 1 to 400 high, 6 different sizes; evaluated at 16 x 16 pixels"
    )
    strips = "2 (train/große Katze/strip0.png (300x1), train/große Katze/strip1.png (3x400))"
    assert told["folders", "extreme shapes"] == strips
    assert told["folders", "left out: .txt"] == "1 (train/große Katze/notes.txt)"
    assert told["folders", "left out: housekeeping"].startswith("4 (")
    assert told["tars", "class numbers given"] == "1, 7, 40; here they are 0 to 2 in this order"
    assert told["tars", "sizes"] == "20 pixels wide, 12 high; evaluated at 16 x 16 pixels"
    assert told["tars", "equal images"] == "1 repeated in train"
    assert re.fullmatch(
        r"3: red 0\.\d+ ± .*, blue 0\.000 ± 0\.000; the same in every pixel: blue", told["blank", "channels"]
    )
    section = page(made).partition('<section id="data">')[2].partition("</section>")[0]
    assert "große Katze: 12, single: 1, 猫 и пёс: 9" in section
    assert section.count("data:image/jpeg;base64,") == 6


def test_looking_tells_of_each_data_set_what_the_report_tells(made, capsys):
    """Layout, images of each split, classes that lack some, and what is left out."""
    assert main(["look", str(made.results.parent / "study.yaml")]) == 0
    looked = dict(re.findall(r"^(\w+) \(\w+, \w+\)\n((?:  .*\n?)+)", capsys.readouterr().out, re.MULTILINE))
    assert set(looked) == {"folders", "tars", "blank"}
    with (made.results / "study" / "tables" / "data.csv").open(encoding="utf-8") as file:
        name = ""
        for row in csv.DictReader(file):
            name, what, found = row["data set"] or name, row["what"], row["found"]
            if what in ("train", "test"):
                assert f"  {what}: {found.split(' images')[0]} images" in looked[name]
                classes = ", ".join(
                    each.replace(": ", " ") for each in found.split("; ", 1)[1].split("; ")[-1].split(", ")
                )
                assert f"classes: {classes}\n" in looked[name]
            elif what == "layout" and name != "tars":
                assert f"  layout: {found}\n" in looked[name]
            elif what.startswith("classes "):
                assert f"  {what}: {found}\n" in looked[name]
            elif what.startswith("left out: "):
                assert re.search(
                    rf"left out: .*{found.split()[0]} {re.escape(what.removeprefix('left out: '))}", looked[name]
                )


def test_a_sheet_shows_the_first_twelve_images_of_a_split(made):
    """Every image of the blank data set lacks blue, and the ground between them does not."""
    folder = shards(made, "blank").folder(made.results)
    sheet = np.asarray(Image.open(folder / "samples-train.jpg")).astype(int)
    assert sheet.shape == (4 + 2 * 84, 4 + 6 * 84, 3)
    cells = [
        sheet[4 + 84 * row : 84 + 84 * row, 4 + 84 * column : 84 + 84 * column] for row in (0, 1) for column in range(6)
    ]
    assert all(cell[..., 2].mean() < 20 < cell[..., 0].mean() for cell in cells)
    few = np.asarray(Image.open(folder / "samples-test.jpg")).astype(int)  # five images
    assert abs(few[8:80, 4 + 5 * 84 : 84 + 5 * 84] - 128).max() < 3
    assert (folder / "samples-train.jpg").stat().st_size < 100_000


def test_planning_counts_before_packing_what_packing_leaves(made):
    for job in made.plan.of("shards"):
        folder = job.folder(made.results)
        assert job.spec.dataset.contents() == packed_contents(folder / "index.json")


def test_planning_a_packed_data_set_tells_its_counts(made, capsys):
    assert main(["plan", str(made.results.parent / "study.yaml"), "--results", str(made.results), "--counts"]) == 0
    told = capsys.readouterr().out
    for line in (
        "#   train: 23 images, 6 of them held out for choices; 1: 5, 7: 10, 40: 8",
        "#   test: 6 images; 1: 2, 7: 4, 40: 0",
        "#   classes missing from test: 1: 40",
        "#   classes of one image: 1: rare",
        "#   left out: 1 .txt (train/große Katze/notes.txt); 4 housekeeping",
    ):
        assert line in told


REFUSED = {
    "{use: few_shot, shots: [8]}": (
        "few_shot.shots: 8 images a class asked for, but class 2 (rare) has 1 in train",
        "{use: few_shot, shots: [1]}",
    ),
    "{use: few_shot, ways: 3, shots: [1], queries: 1}": (
        "few_shot.ways: 3 classes asked for, but only 2 of 3 have the 2 test images that shots and queries need",
        "{use: few_shot, ways: 2, shots: [1], queries: 1}",
    ),
    "{use: knn, k: 23}": ("knn.k: 23 neighbours asked for, but only 22 images vote; lower k", "{use: knn, k: 22}"),
    "{use: low_shot, labels: [2]}": (
        "low_shot.labels: 2 images a class asked for, but class 2 (rare) has 1 in train; ask for fewer",
        "{use: low_shot, labels: [1]}",
    ),
    "{use: finetune, labels_per_class: 2}": (
        "finetune.labels_per_class: 2 images asked for, but class 2 (rare) has 1 in train; ask for fewer",
        "{use: finetune, labels_per_class: 1}",
    ),
}
"""Evaluation of the blank data set -> what planning says, and the evaluation that the message advises."""


@pytest.mark.parametrize("evaluation", list(REFUSED))
@pytest.mark.parametrize("when", ["before packing", "packed"])
def test_what_has_too_few_images_is_refused_by_planning_and_the_way_out_is_one(
    made, tmp_path, capsys, evaluation, when
):
    message, way_out = REFUSED[evaluation]
    lines = STUDY.format(root=made.results.parent).splitlines()
    text = "\n".join(line for line in lines if "name: folders" not in line and "name: tars" not in line)
    study, results = tmp_path / "few.yaml", made.results if when == "packed" else tmp_path / "results"
    study.write_text(text[: text.index("evaluation:")] + f"evaluation: [{evaluation}]\nfloors: false\n")
    assert main(["plan", str(study), "--results", str(results), "--write"]) == 1
    assert f"study few, data set blank: evaluation.{message}" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    study.write_text(study.read_text().replace(evaluation, way_out))
    assert main(["plan", str(study), "--results", str(results)]) == 0
