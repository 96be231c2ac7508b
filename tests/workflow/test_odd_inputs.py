"""One odd thing a data set: what is accepted comes to the report as ``look`` tells it, what is refused leaves nothing."""

import io
import math
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from source_tools import encoded, image, make_folder, noise
from study_tools import Made
from told_tools import check_same, looked, reported

from pipelines.cli import main

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Is each told as it is?
datasets: [{datasets}]
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr, label: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 2}}
evaluation: [{{use: knn, k: 1}}]
"""
IMAGES = [encoded(each, "jpeg") for each in noise(16, 8, 8, 3)]
Members = list[tuple[str, bytes]]


def tar(*parts: Members) -> bytes:
    """As many tars, one behind the other; a member whose bytes begin with -> is a hard link to the name that follows."""
    whole = b""
    for members in parts:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in members:
                info = tarfile.TarInfo(name)
                if data.startswith(b"->"):
                    info.type, info.linkname = tarfile.LNKTYPE, data[2:].decode()
                info.size = 0 if info.islnk() else len(data)
                archive.addfile(info, io.BytesIO(data))
        whole += buffer.getvalue()
    return whole


def pairs(count: int, first: int = 0, labels: tuple[str, ...] = ("0", "1")) -> Members:
    """That many images, each with its label beside it."""
    return [
        (f"{n}.{ending}", data)
        for n in range(first, first + count)
        for ending, data in (("jpg", IMAGES[n]), ("cls", labels[n % len(labels)].encode()))
    ]


def tars(root: Path, train: bytes, **others: bytes) -> str:
    """The data set's lines in a study, its tars written."""
    root.mkdir()
    for name, data in {"train": train, "test": tar(pairs(4, 10)), **others}.items():
        (root / f"{name}.tar").write_bytes(data)
    return f'use: webdataset, train: "{root}/train*.tar", test: "{root}/test.tar"'


def folder(root: Path, classes: dict[str, int] | None = None) -> str:
    make_folder(root, classes or {"a": 8, "b": 8})
    return f'use: imagefolder, folder: "{root}"'


def hidden(root: Path) -> str:
    for name in (".ipynb_checkpoints/x.png", "a/.thumbnails/x.png", "b/@eaDir/x.png", "a/Thumbs.db"):
        image(root / name)
    return folder(root, {"a/x": 6, "b/x": 6}) + ", per_shard: 5"


def two_splits(root: Path) -> str:
    make_folder(root / "Training", {"a": 6, "b": 6})
    return folder(root / "VALID", {"a": 3, "b": 2}).replace("/VALID", "")


def three_splits(root: Path) -> str:
    make_folder(root / "train", {"a": 6, "b": 6})
    make_folder(root / "val", {"a": 2, "b": 2}, seed=5)
    return folder(root / "test", {"a": 3, "b": 4}).replace("/test", "")


def endings(root: Path) -> str:
    for number, ending in enumerate((".jfif", "", ".jpg_large", ".JPEG", ".download")):
        for name in "ab":
            image(root / name / f"f{number}{ending}", seed=10 * number + ord(name), kind="jpeg")
    (root / "a" / "notes.txt").write_text("no image")
    return f'use: imagefolder, folder: "{root}"'


def missing(root: Path) -> str:
    make_folder(root / "train", {"a": 5, "b": 5, "rare": 1})
    make_folder(root / "test", {"a": 3, "b": 2}, seed=9)
    return f'use: imagefolder, folder: "{root}"'


def flat(root: Path) -> str:
    for seed, name in enumerate("ab"):
        (root / name).mkdir(parents=True)
        for number, pixels in enumerate(noise(8, 8, 8, 3, seed=seed)):
            pixels[..., 1] = 77
            (root / name / f"{number}.png").write_bytes(encoded(pixels))
    return f'use: imagefolder, folder: "{root}"'


def strips(root: Path) -> str:
    line = folder(root)
    for number, shape in enumerate(((1, 300, 3), (400, 3, 3), (1, 1, 3))):
        (root / "a" / f"s{number}.png").write_bytes(encoded(noise(1, *shape)[0]))
    return f"{line}, image_size: 8"


def class_list(root: Path) -> str:
    line = folder(root, {"great white": 6, "tench": 6, "other": 6})
    (root / "list.txt").write_text("\ufeffgreat white,0\r\ntench the fish\r\n", encoding="utf-8")
    return f'{line}, classes: "{root}/list.txt"'


def brackets(root: Path) -> str:
    """Where ~ and $HOME are filled in too."""
    root.mkdir()
    line = tars(root / "set [1]", tar(pairs(8)))
    return line.replace(str(root), f"$HOME/{os.path.relpath(root, os.environ['HOME'])}")


def camera(root: Path) -> str:
    """A film, and a pipe that nobody writes into."""
    line, buffer = folder(root), io.BytesIO()
    first, *more = [Image.fromarray(each) for each in noise(3, 8, 8, 3, seed=9)]
    first.save(buffer, "gif", save_all=True, append_images=more)
    (root / "a" / "film.gif").write_bytes(buffer.getvalue())
    os.mkfifo(root / "b" / "live.png")
    return line


ODD: dict[str, tuple[Callable[[Path], str], dict[str, str]]] = {
    "hidden": (hidden, {"left out: housekeeping": "4 ("}),
    "two_splits": (two_splits, {"layout": "train: Training/; test: VALID/", "equal images": "5 of test that are in"}),
    "three_splits": (three_splits, {"train": "16 images, 4 of them held out", "test": "7 images"}),
    "endings": (endings, {"left out: .txt": "1 ("}),
    "one_image": (lambda root: folder(root, {"a": 8, "b": 8, "rare": 1}), {"classes of one image": "1: rare"}),
    "missing": (missing, {"classes missing from test": "1: rare", "classes of one image": "1: rare"}),
    "flat": (flat, {"channels": "3: "}),
    "strips": (strips, {"extreme shapes": "2 ("}),
    "blanks": (lambda root: folder(root / "my own  images ü", {"große Katze": 6, "a  b": 6}), {}),
    "class_list": (class_list, {}),
    "joined": (lambda root: tars(root, tar(pairs(4), pairs(4, 4))), {"train": "8 images"}),
    "gaps": (
        lambda root: tars(
            root,
            tar(pairs(8, labels=("3.0", "10", "3", "40.0"))),
            test=tar(pairs(4, 10, ("3", "10", "40"))),
        ),
        {"class numbers given": "3, 10, 40; here they are 0 to 2"},
    ),
    "links": (
        lambda root: tars(root, tar([*pairs(4), ("9.jpg", b"->0.jpg"), ("9.cls", b"->0.cls")])),
        {"train": "5 images", "equal images": "1 repeated in train"},
    ),
    "same_keys": (lambda root: tars(root, tar(pairs(4)), train2=tar(pairs(4))), {"train": "8 images"}),
    "brackets": (brackets, {"train": "8 images"}),
    "train_lacks": (
        lambda root: tars(root, tar(pairs(8)), test=tar(pairs(6, 10, ("0", "1", "7")))),
        {"classes missing from train": "1: 7"},
    ),
    "camera": (camera, {"changed": "1 of several frames", "left out: pipe, socket or device": "1 (b/live.png)"}),
    "unlabelled": (
        lambda root: tars(root, tar([*pairs(4), ("8.jpg", IMAGES[8]), ("9.jpg", IMAGES[9])])),
        {"without a label": "2 of train"},
    ),
    "members": (
        lambda root: tars(root, tar([*pairs(4), ("3.npy", b"x"), ("._0.jpg", b"x"), ("README", b"x")])),
        {"left out: .npy": "1", "left out: housekeeping": "1"},
    ),
}
"""Name of a data set -> what makes it, and how some of its rows in the report begin."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """All packed, raw pixels measured, and the report written; nothing is trained."""
    root = tmp_path_factory.mktemp("odd")
    lines = [f"{{name: {name}, {make(root / name)}}}" for name, (make, _) in ODD.items()]
    made = Made.of(STUDY.format(datasets=", ".join(lines)), root)
    pixels = [job for job in made.plan.of("evaluate") if made.plan.names["evaluate", job.key].label == "raw pixels"]
    assert len(pixels) == len(ODD)
    made.run(*pixels)
    study = made.results / "study"
    for stage, more in (("collect", []), ("report", ["--texts", str(REPORTS)])):
        assert (
            main(
                [stage, "--plan", str(study / "plan.json"), "--results", str(made.results), "--out", str(study), *more]
            )
            == 0
        )
    return made


@pytest.fixture(scope="module")
def told(made: Made) -> dict[str, dict[str, str]]:
    return reported(made.results / "study")


def test_looking_says_the_same_as_the_report(made: Made, told, capsys) -> None:
    assert main(["look", str(made.results.parent / "study.yaml")]) == 0
    seen = looked(capsys.readouterr().out)
    assert list(seen) == list(told) == list(ODD)
    for name, lines in seen.items():
        check_same(lines, told[name])


@pytest.mark.parametrize("name", list(ODD))
def test_each_is_told_and_measured(made: Made, told, name: str) -> None:
    for what, beginning in ODD[name][1].items():
        assert told[name][what].startswith(beginning), told[name]
    (shards,) = (job.key for job in made.plan.of("shards") if job.spec.dataset.short_name == name)
    done = [job for job in made.plan.of("evaluate") if job.inputs["shards"] == shards]
    metrics = [made.record(job)["metrics"] for job in done if (job.folder(made.results) / "record.json").exists()]
    assert len(metrics) == 1
    assert all(math.isfinite(value) for each in metrics for value in each.values())
    assert f'<section id="results-{name}">' in (made.results / "study" / "report.html").read_text(encoding="utf-8")


def test_a_constant_channel_is_named(told) -> None:
    assert told["flat"]["channels"].endswith("the same in every pixel: green")
    assert not any("the same in every pixel" in rows["channels"] for name, rows in told.items() if name != "flat")


def split_and(root: Path, name: str) -> str:
    """Of two classes train/, and one image beside it."""
    image(root / name)
    return folder(root / "train").replace("/train", "")


def unreadable(root: Path) -> str:
    line = folder(root)
    for number in range(4):
        (root / "a" / f"{number}.nef").write_bytes(b"\0" + noise(1, 300)[0].tobytes())
    return line


def dead_link(root: Path) -> str:
    line = folder(root)
    (root / "c").symlink_to(root / "gone")
    return line


REFUSED: dict[str, tuple[Callable[[Path], str], str]] = {
    "a folder beside train": (lambda root: split_and(root, "more/c/1.png"), "more"),
    "a class of test alone": (lambda root: split_and(root, "test/c/1.png"), ": none o"),
    "val of bare images": (lambda root: split_and(root, "val/1.png"), "val"),
    "no images": (unreadable, "4 of 20 files among the images"),
    "images first": (
        lambda root: tars(root, tar(sorted(pairs(4), key=lambda each: each[0][1:])[::-1])),
        "side by side",
    ),
    "a key twice": (lambda root: tars(root, tar(pairs(4), pairs(4))), "sample 0 is there already"),
    "half a tar": (lambda root: tars(root, tar(pairs(4))[:2600]), "not a whole tar"),
    "half a label": (lambda root: tars(root, tar(pairs(4, labels=("0.6", "1.6")))), "label '0.6' of sample 0"),
    "a class that leads nowhere": (dead_link, "a link that leads nowhere"),
    "labels by another name": (
        lambda root: tars(root, tar([(name.replace("cls", "label"), data) for name, data in pairs(4)])),
        "each has a member .label, which is not read",
    ),
    "a link to nothing": (
        lambda root: tars(root, tar([*pairs(4), ("9.jpg", b"->7.jpg")])),
        "which does not come before",
    ),
}


@pytest.mark.parametrize("odd", list(REFUSED))
def test_what_is_refused_leaves_nothing(tmp_path: Path, capsys, odd: str) -> None:
    """Neither look nor plan writes or changes a file, and both say why."""
    make, message = REFUSED[odd]
    (tmp_path / "study.yaml").write_text(STUDY.format(datasets=f"{{name: odd, {make(tmp_path / 'own')}}}"))
    before = {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*")}
    for call in (["look"], ["plan", "--write", "--results", str(tmp_path / "results")]):
        assert main([call[0], str(tmp_path / "study.yaml"), *call[1:]]) == 1
        said = "".join(capsys.readouterr())
        assert message in said
        assert said.count("error: ") == 1
    assert {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*")} == before
