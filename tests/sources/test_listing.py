"""What planning sees of a user's folders and tars, before any job."""

import random
from pathlib import Path

import pytest
from source_tools import encoded, image, make_folder, noise

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.listing.kinds import in_words, kind_of
from pipelines.listing.layout import layout_of
from pipelines.listing.paths import expand, expanded
from pipelines.sources.base import open_source
from pipelines.sources.imagefolder import read
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.spec.contents import packed_contents
from pipelines.spec.datasets.imagefolder import Options as ImageFolder

STUDY = """
question: q
dataset: {{{dataset}}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{{use: knn, k: 3}}]
"""


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("use: imagefolder, name: mine, folder: {}/nowhere", "nowhere: dataset.folder is no folder, it does not exist"),
        ("use: imagefolder, name: mine, folder: {}/x.yaml", "x.yaml: dataset.folder is no folder, it is a file"),
        ("use: imagefolder, name: mine, folder: {}/bare", "bare: no class folders and no images"),
        ("use: imagefolder, name: mine, folder: {}/hollow", "hollow/b: the class folder holds no image"),
        ("use: webdataset, name: mine, train: '{}/t-*.tar'", "t-*.tar: no such tar"),
        ("use: cifar10, folder: {}", "cifar-10-batches-py: no such file or folder"),
        ("use: fashion_mnist, folder: {}", "no file train-images-idx3-ubyte"),
        ("use: imagefolder, name: mine, folder: $NOT_SET_HERE/x", "the environment has no $NOT_SET_HERE"),
    ],
)
def test_plan_says_what_the_shards_job_would_fail_of(tmp_path: Path, capsys, dataset: str, message: str) -> None:
    make_folder(tmp_path / "hollow", {"a": 2, "b": 0})
    (tmp_path / "bare").mkdir()
    study = tmp_path / "x.yaml"
    study.write_text(STUDY.format(dataset=dataset.format(tmp_path)))
    assert main(["plan", str(study), "--results", str(tmp_path / "results")]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "study x, data set" in told


def test_home_and_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "pics", {"a": 2})
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("~/pics", "$HOME/pics", "${HOME}/pics"):
        assert expanded(folder) == tmp_path / "pics"
        assert len(read(ImageFolder(name="toy", folder=folder)).train) == 2


def test_brackets_are_no_pattern_and_ranges_go_up(tmp_path: Path) -> None:
    (tmp_path / "set [v1]").mkdir()
    for name in ("a-0", "a-1"):
        (tmp_path / "set [v1]" / f"{name}.tar").write_bytes(b"")
    assert len(expand(str(tmp_path / "set [v1]" / "a-*.tar"))) == 2
    assert len(expand(str(tmp_path / "set [v1]" / "a-{0..1}.tar"))) == 2
    with pytest.raises(InputError, match="from the lower to the higher"):
        expand(str(tmp_path / "a-{3..1}.tar"))


def test_class_lists_may_name_folders_with_spaces(tmp_path: Path) -> None:
    make_folder(tmp_path / "images", {"great white": 2, "great": 2, "tench": 2})
    (tmp_path / "list.txt").write_text("great white a shark\ntenches, Tinca\n")
    with pytest.raises(InputError, match=r"tenches,: no such class folder"):
        layout_of(tmp_path / "images", class_list=tmp_path / "list.txt").check()
    for text in (
        "great white/\ngreat/\ntench/\n",
        "great white a shark\ngreat\ntench the fish\n",
        "\ufeffgreat white,0\r\ngreat;1\r\ntench, Tinca\r\n",
    ):
        (tmp_path / "list.txt").write_text(text, encoding="utf-8")
        layout = layout_of(tmp_path / "images", class_list=tmp_path / "list.txt")
        assert layout.classes == ("great white", "great", "tench")


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm"])
def test_images_are_known_by_their_first_bytes(kind: str) -> None:
    expected = {"jpeg": "jpg", "tiff": "tif"}.get(kind, kind)
    assert kind_of(encoded(noise(1, 8, 8, 3)[0], kind)[:32]) == expected
    assert kind_of(b"BM, a text") is None
    assert kind_of(b"") is None


def test_housekeeping_is_left_out_and_everything_left_out_is_counted(tmp_path: Path) -> None:
    options = make_folder(tmp_path, {"a": 12, "b": 12})
    for name in (".ipynb_checkpoints/x.png", ".thumbnails/x.png", "a/@eaDir/x.png", "__MACOSX/x.png", "a/._000.png"):
        image(tmp_path / name)
    for name in ("Thumbs.db", "b/.DS_Store", "a/notes.txt", "a/more.txt", "list.csv", "b/README"):
        (tmp_path / name).write_text("no image")
    image(tmp_path / "a" / "photo.jfif", kind="jpeg")
    image(tmp_path / "b" / "scan", kind="png")
    source = read(options)
    assert source.classes == ("a", "b")
    assert len(source.train) + len(source.test) == 26
    counts = {kind: found["count"] for kind, found in source.skipped.items()}
    assert counts == {".csv": 1, ".txt": 2, "housekeeping": 7, "no file ending": 1}
    assert "2 .txt (a/more.txt, a/notes.txt)" in in_words(source.skipped)
    index = build_shards(source, options, tmp_path / ".out")
    assert index.skipped == source.skipped
    extensions = {sample.id: sample.extension for split in ("train", "test") for sample in source.samples(split)}
    assert (extensions["a/photo.jfif"], extensions["b/scan"]) == ("jfif", "png")


def test_what_looks_like_an_image_and_cannot_be_read_is_refused_beyond_the_share(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"a": 20})
    (tmp_path / "raw" / "a" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    (tmp_path / "raw" / "a" / "page.jpg").write_text("<html>")
    with pytest.raises(InputError, match=r"unreadable.*max_unreadable allows 0: .*(HEIC|page)"):
        build_shards(open_source(options), options, tmp_path / "out")
    many = options.model_copy(update={"max_unreadable": 0.1})
    index = build_shards(open_source(many), many, tmp_path / "out2")
    reasons = " ".join(item["reason"] for item in index.unreadable)
    assert "heic is not read here; convert it to JPEG or PNG" in reasons


def test_split_names_are_known_in_any_case_and_an_unused_one_is_told(tmp_path: Path) -> None:
    for names in (("Train", "Testing"), ("training", "VAL"), ("TRAIN", "valid"), ("train", "Validation")):
        root = tmp_path / names[0] / names[1]
        for name in names:
            make_folder(root / name, {"a": 2})
        source = read(ImageFolder(name="toy", folder=str(root)))
        assert (len(source.train), len(source.test)) == (2, 2)


def three_splits(root: Path) -> Path:
    """Train, val and test of two classes; val lacks the second."""
    for name, counts in (("train", {"a": 6, "b": 6}), ("Validation", {"a": 3}), ("test", {"a": 2, "b": 2})):
        make_folder(root / name, counts, seed=len(name))
    return root


@pytest.mark.parametrize("limit", [None, 4])
def test_a_val_folder_beside_train_and_test_is_what_choices_are_made_on(tmp_path: Path, limit: int | None) -> None:
    options = ImageFolder(name="toy", folder=str(three_splits(tmp_path / "raw")), limit=limit, per_shard=4)
    index = build_shards(read(options), options, tmp_path / "out")
    shards = open_shards(tmp_path / "out")
    held = {shards.ids("train")[row] for row in index.holdout}
    assert {name.partition("-")[2].partition("_")[0] for name in held} == {"Validation"}
    assert (len(held), index.count("train"), index.count("test")) == (3, 3 + (limit or 12), 4)
    assert "choices: Validation/" in options.told()


def test_a_study_may_leave_a_val_folder_unused(tmp_path: Path) -> None:
    options = ImageFolder(name="toy", folder=str(three_splits(tmp_path)), val="unused", holdout=0.25)
    source = read(options)
    assert (len(source.train), source.held) == (12, None)
    assert source.skipped == {"split folder that is not used": {"count": 1, "examples": ["Validation"]}}
    assert (
        options.told()
        == "train: train/; test: test/; choices: 25% of train, 10,000 at most; not used: Validation/; 2 classes"
    )


def test_planning_tells_how_the_folders_were_understood_and_what_they_hold(tmp_path: Path, capsys) -> None:
    three_splits(tmp_path / "pics")
    (tmp_path / "pics" / "train" / "a" / "notes.txt").write_text("x")
    study = tmp_path / "x.yaml"
    study.write_text(STUDY.format(dataset=f"use: imagefolder, name: mine, folder: {tmp_path}/pics"))
    assert main(["plan", str(study), "--results", str(tmp_path / "results")]) == 0
    line = (
        "# data set mine (pretrained on and measured on): train: train/; test: test/; choices: Validation/; 2 classes\n"
    )
    counts = "#   train: 15 images, 3 of them held out for choices; a: 9, b: 6\n#   test: 4 images; a: 2, b: 2\n"
    left_out = "#   left out: 1 .txt (train/a/notes.txt)\n"
    opened = "#   opened of train: 15: 8 pixels wide, 8 high, 15 colour\n"
    assert line + counts + left_out + opened in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(8))
def test_planning_counts_what_packing_will_leave(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    names = [f"c{number}" for number in range(draw.randint(1, 5))]
    make_folder(tmp_path / "r" / "train", {name: draw.randint(2, 9) for name in names}, side=4)
    for split, share in (("test", 0.5), ("val", 0.4)):
        if draw.random() < share:
            some = draw.sample(names, draw.randint(1, len(names)))
            make_folder(
                tmp_path / "r" / split, {name: draw.randint(1, 3) for name in some}, side=4, seed=len(split) * 10
            )
    cut = {"limit": draw.choice([None, 3, 10]), "holdout": draw.choice([0.0, 0.1, 0.25, 0.5])}
    options = ImageFolder(name="toy", folder=str(tmp_path / "r"), test_share=draw.choice([0.34, 0.5]), **cut)
    build_shards(read(options), options, tmp_path / "out")
    assert options.contents() == packed_contents(tmp_path / "out" / "index.json")


def test_a_folder_in_val_that_is_no_class_is_refused_with_the_way_out(tmp_path: Path) -> None:
    make_folder(three_splits(tmp_path) / "Validation", {"images": 2})
    with pytest.raises(InputError, match=r"Validation/images: .*no class of that name.*dataset.val: unused"):
        read(ImageFolder(name="toy", folder=str(tmp_path)))
    assert len(read(ImageFolder(name="toy", folder=str(tmp_path), val="unused")).train) == 12


def planned(tmp_path: Path, capsys, dataset: str) -> str:
    """What planning says of a data set: its refusal, or nothing."""
    study = tmp_path / "advice.yaml"
    study.write_text(STUDY.format(dataset=dataset))
    main(["plan", str(study), "--results", str(tmp_path / "results")])
    return capsys.readouterr().err


def test_the_way_out_of_folders_that_are_no_classes_leads_out(tmp_path: Path, capsys) -> None:
    root = tmp_path / "pics"
    make_folder(root / "train", {"a": 8, "b": 8})
    make_folder(root / "test", {"images": 4})
    mine = f"use: imagefolder, name: mine, folder: {root}"
    assert "none of its folders (images) is named like a class of train (a, ...); sort" in planned(
        tmp_path, capsys, mine
    )
    (tmp_path / "list.txt").write_text("a\nb\n")
    listed = f"{mine}, classes: {tmp_path}/list.txt"
    assert "test: none of its folders (images)" in planned(tmp_path, capsys, listed)
    (root / "test" / "images").rename(root / "test" / "a")
    make_folder(root / "test", {"b": 2})
    assert not planned(tmp_path, capsys, mine)  # sorted
    make_folder(root / "test", {"z": 1})
    assert "test/z:" in (told := planned(tmp_path, capsys, mine))
    assert "list the classes to use in dataset.classes" in told
    assert not planned(tmp_path, capsys, listed)
    (root / "test").rename(tmp_path / "elsewhere")
    assert not planned(tmp_path, capsys, mine)  # moved
    make_folder(root / "val", {"images": 4})
    assert "val: none of its folders" in (told := planned(tmp_path, capsys, mine))
    assert "dataset.val" not in told  # it is the test split
    make_folder(root / "test", {"a": 2, "b": 2})
    assert "or write dataset.val: unused" in planned(tmp_path, capsys, mine)
    assert not planned(tmp_path, capsys, f"{mine}, val: unused")


def test_an_empty_class_folder_has_two_ways_out(tmp_path: Path, capsys) -> None:
    root = tmp_path / "pics"
    for split in ("train", "test"):
        make_folder(root / split, {"a": 8, "b": 8, "hollow": 0 if split == "train" else 2})
    mine = f"use: imagefolder, name: mine, folder: {root}"
    assert "train/hollow: the class folder holds no image" in planned(tmp_path, capsys, mine)
    (tmp_path / "list.txt").write_text("a\nb\n")
    assert not planned(tmp_path, capsys, f"{mine}, classes: {tmp_path}/list.txt")
    for split in ("train", "test"):
        (root / split / "hollow").rename(tmp_path / f"{split}-hollow")
    assert not planned(tmp_path, capsys, mine)


def test_tiny_imagenet_as_a_folder_is_told_its_own_name_and_that_is_taken(tmp_path: Path, capsys) -> None:
    """The published layout: the images of val and test lie in one folder each."""
    root = tmp_path / "tiny-imagenet-200"
    for wnid in ("n01443537", "n01629819"):
        for number in range(8):
            image(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", side=64, kind="jpeg")
    for split in ("val", "test"):
        image(root / split / "images" / f"{split}_0.JPEG", side=64, kind="jpeg")
    (root / "wnids.txt").write_text("n01443537\nn01629819\n")
    (root / "words.txt").write_text("n01443537\tgoldfish\n")
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01443537\t0\t0\t62\t62\n")
    told = planned(tmp_path, capsys, f"use: imagefolder, name: mine, folder: {root}")
    assert "test: none of its folders (images)" in told
    assert "write use: tiny_imagenet" in told
    assert not planned(tmp_path, capsys, f"use: tiny_imagenet, folder: {root}")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train/a", "tset/a"], r"tset: a folder beside train/ that is no split"),
        (["train/a", "training/a"], r"training: train/ is the train split already"),
        (["a", "b", "val"], r"val: named like a split, but there is no train folder"),
    ],
)
def test_folders_that_could_be_splits_are_never_guessed(tmp_path: Path, folders: list[str], message: str) -> None:
    make_folder(tmp_path, dict.fromkeys(folders, 2))
    with pytest.raises(InputError, match=message):
        read(ImageFolder(name="toy", folder=str(tmp_path)))


def test_look_prints_what_a_study_s_data_sets_hold_and_writes_nothing(tmp_path: Path, capsys) -> None:
    make_folder(tmp_path / "pics" / "train", {"cat": 3, "dog": 2})
    make_folder(tmp_path / "pics" / "val", {"cat": 1, "dog": 1})
    (tmp_path / "pics" / "train" / "cat" / "notes.txt").write_text("x")
    study = tmp_path / "x.yaml"
    study.write_text(STUDY.format(dataset=f"use: imagefolder, name: mine, folder: {tmp_path}/pics"))
    before = sorted(tmp_path.rglob("*"))
    assert main(["look", str(study)]) == 0
    told = capsys.readouterr().out
    for line in (
        "train: 5 images", "test: 2 images", "classes: cat 3, dog 2", "opened: 5: 8 pixels wide, 8 high, 5 colour",
        "layout: train: train/; test: val/; choices: 10% of train, 10,000 at most; 2 classes",
        "left out: 1 .txt (train/cat/notes.txt)",
    ):  # fmt: skip
        assert line in told
    assert sorted(tmp_path.rglob("*")) == before
    study.write_text(STUDY.format(dataset=f"use: imagefolder, name: mine, folder: {tmp_path}/nowhere"))
    assert main(["look", str(study)]) == 1
    assert "nowhere: dataset.folder is no folder" in capsys.readouterr().out
