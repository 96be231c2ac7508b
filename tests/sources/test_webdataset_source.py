"""Existing tars as a source: labels, captions, further images, patterns, and tars that were cut."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from source_tools import encoded, noise

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import write_json
from pipelines.listing.kinds import Skipped
from pipelines.listing.paths import expand
from pipelines.listing.samples import label_of
from pipelines.listing.tars import entries_of
from pipelines.sources.shards import build_shards
from pipelines.sources.webdataset import read
from pipelines.spec.datasets import webdataset
from pipelines.spec.datasets.webdataset import Options as WebDataset

IMAGES = [encoded(image, "jpeg") for image in noise(8, 8, 8, 3)]


def write(path: Path, *members: tuple[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # PAX headers, as many writers have them
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    return path


def options(tmp_path: Path, **changes: object) -> WebDataset:
    return WebDataset(**{"name": "toy", "train": str(tmp_path / "train-*.tar"), **changes})


def test_labels_captions_fields_and_meta(tmp_path: Path) -> None:
    depth = encoded(noise(1, 8, 8)[0])
    write(tmp_path / "train-0.tar", ("d/x.y/a.jpg", IMAGES[0]), ("d/x.y/a.cls", b"2\n"), ("d/x.y/a.depth.png", depth))
    meta = json.dumps({"label": 1, "caption": "a dog", "width": 8}).encode()
    write(tmp_path / "train-1.tar", ("b.JPG", IMAGES[1]), ("b.json", meta), ("b.depth.png", depth))
    write(tmp_path / "test.tar", ("c.txt", "ein Hund é".encode()), ("c.jpg", IMAGES[2]), ("c.depth.png", depth))
    source = read(options(tmp_path, test=str(tmp_path / "test.tar"), fields=("depth.png",)))
    first, second = source.samples("train")
    assert (first.image, first.extension, first.label, first.caption) == (IMAGES[0], "jpg", 1, None)
    assert first.fields == {"depth.png": depth}
    assert (second.label, second.caption, second.meta["width"], second.extension) == (0, "a dog", 8, "jpg")
    (third,) = source.samples("test")
    assert (third.label, third.caption) == (-1, "ein Hund é")
    assert source.classes == ("1", "2")


def test_without_test_tars_a_share_of_train_is_test(tmp_path: Path) -> None:
    members = [(f"{n}.{kind}", data) for n in range(8) for kind, data in (("jpg", IMAGES[n]), ("cls", b"%d" % (n % 2)))]
    write(tmp_path / "train-0.tar", *members)
    source = read(options(tmp_path, test_share=0.25))
    assert (len(source.train), sorted(source.test.labels.tolist())) == (6, [0, 1])
    assert {*source.train.ids, *source.test.ids} == {f"train-0.tar/{n}" for n in range(8)}


def test_patterns_are_expanded_in_order_and_a_hole_is_named(tmp_path: Path) -> None:
    for name in ("a-000", "a-001", "a-002", "b-001"):
        write(tmp_path / f"{name}.tar")
    found = expand(str(tmp_path / "a-{000..002}.tar"))
    assert [path.name for path in found] == ["a-000.tar", "a-001.tar", "a-002.tar"]
    assert [path.name for path in expand(str(tmp_path / "*-001.tar"))] == ["a-001.tar", "b-001.tar"]
    with pytest.raises(InputError, match=r"a-003\.tar: no such tar"):
        expand(str(tmp_path / "a-{000..004}.tar"))


@pytest.mark.parametrize("keep", [700, 1024, 2600])
def test_a_cut_tar_is_refused_wherever_the_cut_is(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "train-0.tar", ("a.jpg", IMAGES[0]), ("a.cls", b"0"), ("b.jpg", IMAGES[1]), ("b.cls", b"0"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"train-0\.tar: (not a whole|cut off)"):
        read(options(tmp_path))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.cls", b"0")], "sample a has 0 images"),
        ([("a.jpg", IMAGES[0]), ("a.png", IMAGES[1])], "sample a has 2 images"),
        (
            [("a.jpg", IMAGES[0]), ("a.cls", b"cat")],
            "label 'cat' of sample a is no class number.*images alone with dataset.labels: none",
        ),
        ([("a.jpg", IMAGES[0]), ("a.cls", b"0.6")], "label '0.6' of sample a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.cls", b"nan")], "label 'nan' of sample a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.json", b'{"label": 0.6}')], "label 0.6 of sample a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.json", b'{"label": true}')], "label True of sample a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.cls", b"12345678901")], "label '12345678901' of sample a is no class number"),
        ([("a.b.jpg", IMAGES[0]), ("a.b.cls", b"0")], "cuts the key at the first dot.*rename the file to a_b.jpg"),
        ([("a.jpg", IMAGES[0]), ("b.jpg", IMAGES[1]), ("a.cls", b"0")], "a.cls: sample a is there already"),
        ([("a.jpg", IMAGES[0]), ("a.jpg", IMAGES[0])], "a.jpg: sample a is there already"),
        ([("a.jpg", IMAGES[0]), ("b.jpg", IMAGES[1]), ("a.cls", b"0")], r"side by side; pack them sorted by name"),
        (
            [("a.cls", b"0"), ("b.cls", b"1"), ("a.jpg", IMAGES[0])],
            r"a.jpg: sample a is .*side by side; pack them sorted",
        ),
        ([("a.jpg", IMAGES[0]), ("a.cls", b"1_0")], "label '1_0' of sample a is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.json", '{"label": "\u0663"}'.encode())], "is no class number"),
        ([("a.jpg", IMAGES[0]), ("a.json", b"{")], r"a\.json is not JSON"),
        ([], "hold no samples"),
    ],
)
def test_samples_that_are_not_samples_are_refused_by_name(tmp_path: Path, members, message: str) -> None:
    write(tmp_path / "train-0.tar", *members)
    with pytest.raises(InputError, match=message):
        read(options(tmp_path))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_read(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "train-0.tar", *pairs(4))
    with tarfile.open(path) as plain, tarfile.open(tmp_path / "train-1.tar", mode) as packed:  # type: ignore[call-overload]
        for member in plain:
            packed.addfile(member, plain.extractfile(member))
    first = read(options(tmp_path, train=str(path)))
    second = read(options(tmp_path, train=str(tmp_path / "train-1.tar")))
    assert [sample.image for sample in second.samples("train")] == [sample.image for sample in first.samples("train")]
    (tmp_path / "train-1.tar").write_bytes((tmp_path / "train-1.tar").read_bytes()[:-40])
    with pytest.raises(InputError, match=r"train-1.tar: (cannot be read or unpacked|not a whole)"):
        read(options(tmp_path))


def pairs(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """That many samples of an image and a label."""
    numbers = range(first, first + count)
    return [(f"{n}.{kind}", data) for n in numbers for kind, data in (("jpg", IMAGES[n]), ("cls", b"%d" % (n % 2)))]


def test_tars_joined_by_cat_give_all_their_samples(tmp_path: Path) -> None:
    parts = [write(tmp_path / "a", *pairs(3)), write(tmp_path / "b", *pairs(4, 3))]
    joined = tmp_path / "train-0.tar"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    source = read(options(tmp_path, test_share=0.0))
    assert [sample.image for sample in source.samples("train")] == IMAGES[:7]
    joined.write_bytes(joined.read_bytes()[:-10240])
    with pytest.raises(InputError, match="not a whole tar"):
        read(options(tmp_path))
    joined.write_bytes(parts[0].read_bytes() + b"rubbish" * 100)
    with pytest.raises(InputError, match=r"train-0\.tar: not a whole tar"):
        read(options(tmp_path))


def write_special(path: Path, name: str, kind: bytes, target: str = "") -> None:
    """One sample, then a member of another kind."""
    with tarfile.open(path, "w") as archive:
        for plain, data in (("0.jpg", IMAGES[0]), ("0.cls", b"1")):
            info = tarfile.TarInfo(plain)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        special = tarfile.TarInfo(name)
        special.type, special.linkname = kind, target
        archive.addfile(special)


@pytest.mark.parametrize(("name", "target"), [("1.jpg", "0.jpg"), ("./1.jpg", "0.jpg"), ("1.jpg", "./0.jpg")])
def test_a_hard_link_is_the_member_it_links_to(tmp_path: Path, name: str, target: str) -> None:
    write_special(tmp_path / "train-0.tar", name, tarfile.LNKTYPE, target)
    assert [sample.image for sample in read(options(tmp_path, test_share=0.0)).samples("train")] == [IMAGES[0]] * 2


@pytest.mark.parametrize(
    ("name", "kind", "target", "message"),
    [
        ("1.jpg", tarfile.LNKTYPE, "9.jpg", r"1\.jpg is a link to 9\.jpg, which does not come before"),
        ("1.jpg", tarfile.SYMTYPE, "0.jpg", r"1\.jpg is a symbolic link"),
        ("1.jpg", tarfile.CHRTYPE, "", r"1\.jpg is a device"),
        ("/1.jpg", tarfile.REGTYPE, "", "'/1.jpg' leads out of the tar"),
        ("a/../../1.jpg", tarfile.REGTYPE, "", "leads out of the tar"),
    ],
)
def test_members_that_are_no_files_of_the_tar_are_refused_by_name(
    tmp_path: Path, name: str, kind: bytes, target: str, message: str
) -> None:
    write_special(tmp_path / "train-0.tar", name, kind, target)
    with pytest.raises(InputError, match=message):
        read(options(tmp_path))


def test_every_member_is_used_or_counted(tmp_path: Path) -> None:
    more = [("0.npy", b"x"), ("0.depth.png", IMAGES[0]), ("._0.jpg", b"x"), ("README", b"x")]
    write(tmp_path / "train-0.tar", *pairs(1), *more)
    counts = {kind: found["count"] for kind, found in read(options(tmp_path)).skipped.items()}
    assert counts == {".depth.png (not in dataset.fields)": 1, ".npy": 1, "housekeeping": 1, "no file ending": 1}


def test_tars_of_one_name_in_two_folders_keep_their_samples_apart(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "0.tar", *pairs(2))
    source = read(options(tmp_path, train=str(tmp_path / "*" / "0.tar"), test_share=0.0))
    assert source.train.ids == ["x/0.tar/0", "x/0.tar/1", "y/0.tar/0", "y/0.tar/1"]


def test_labels_none_takes_the_images_alone(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", ("0.jpg", IMAGES[0]), ("0.cls", b"0.6"), ("1.jpg", IMAGES[1]))
    source = read(options(tmp_path, labels="none", test_share=0.5))
    assert (source.classes, source.train.labels.tolist(), source.test.read(0).label) == ((), [-1], -1)


@pytest.mark.parametrize(
    ("text", "label"),
    [('{"cls": null, "label": 3}', 3), ('{"label": " 2.00 "}', 2), ('{"label": "1.0e+00"}', 1), ("4", -1)],
)
def test_a_label_is_the_first_number_that_is_given(tmp_path: Path, text: str, label: int) -> None:
    write(tmp_path / "train-0.tar", ("a.jpg", IMAGES[0]), ("a.json", text.encode()))
    (entry,) = entries_of(tmp_path / "train-0.tar", Skipped())
    assert label_of(entry) == label


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("{n}.label", "1", r"each has a member \.label, which is not read; call it \.cls"),
        ("{n}.cls.txt", "1", r"each has a member \.cls\.txt, which is not read"),
        ("{n}.index", "1", r"each has a member \.index"),
        ("{n}.json", '{{"class": {n}, "caption": "a cat"}}', r"the json members hold class; call .* label"),
        ("{n}.json", "{n}", r"the json members are no objects; write .*label"),
        ("{n}.txt", " {n}\n", r"the txt members, which are captions, are numbers; call them \.cls"),
        ("train/{k}/{n}.none", "", r"they lie in folders \(train/a, train/b\); .* use: imagefolder"),
    ],
)  # fmt: skip
def test_what_may_be_a_label_is_asked_about_where_no_sample_has_one(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    members = []
    for n in range(4):
        beside = name.format(n=n, k="ab"[n % 2])
        image = (f"{beside.partition('.')[0]}.jpg", IMAGES[n])
        members += [image] if beside.endswith("none") else [image, (beside, text.format(n=n).encode())]
    write(tmp_path / "train-0.tar", *members)
    for ask in (lambda: read(options(tmp_path)), options(tmp_path).contents):
        with pytest.raises(
            InputError, match=rf"no sample has a label .*, and {message}.*else write dataset.labels: none"
        ):
            ask()
    assert len(read(options(tmp_path, labels="none", test_share=0.0)).train) == 4


@pytest.mark.parametrize("beside", ["", '{"caption": "a cat"}', '{"label": null}', '{"captions": ["a", "b"]}'])
def test_images_with_captions_or_nothing_beside_them_need_no_decision(tmp_path: Path, beside: str) -> None:
    members = [(f"{n}{end}", data) for n in range(4) for end, data in ((".jpg", IMAGES[n]), (".json", beside.encode()))]
    write(tmp_path / "train-0.tar", *(each for each in members if each[1]))
    assert read(options(tmp_path, test_share=0.0)).train.labels.tolist() == [-1] * 4


def test_a_tar_that_is_meant_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", *pairs(4))
    (tmp_path / "train-1.tar").symlink_to("train-0.tar")
    with pytest.raises(InputError, match=r"train-1.tar: the same tar as .*train-0.tar.*each tar once"):
        read(options(tmp_path))
    with pytest.raises(InputError, match=r"train-0.tar: the same tar as .*train-0.tar"):
        options(tmp_path, train=str(tmp_path / "train-0.tar"), test=str(tmp_path / "*-0.tar")).check_files()


@pytest.mark.parametrize("ending", ["", ".image", ".jpg_large", ".download"])
def test_members_are_known_by_their_first_bytes_too(tmp_path: Path, ending: str) -> None:
    """As in folders: half of the images have no file ending, or one of their own."""
    plain = [(f"{n}.jpg" if n % 2 else f"{n}{ending}", IMAGES[n]) for n in range(8)]
    members = [each for n in range(8) for each in (plain[n], (f"{n}.cls", b"%d" % (n // 4)))]
    write(tmp_path / "train-0.tar", *members)
    source = read(options(tmp_path, test_share=0.0))
    assert [(sample.image, sample.extension, sample.label) for sample in source.samples("train")] == [
        (IMAGES[n], "jpg", n // 4) for n in range(8)
    ]
    assert options(tmp_path, test_share=0.0).contents().train == 8


def test_an_image_without_ending_beside_a_plain_one_is_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "train-0.tar", *pairs(1), ("0.thumb", IMAGES[1]))
    source = read(options(tmp_path, test_share=0.0))
    assert source.train.read(0).image == IMAGES[0]
    assert source.skipped == {"jpg without its ending": {"count": 1, "examples": ["train-0.tar/0.thumb"]}}


def test_members_that_may_be_images_and_are_no_part_of_a_sample_are_refused_beyond_the_share(tmp_path: Path) -> None:
    raws = [(f"{n}.nef", noise(1, 600, seed=n)[0].tobytes()) for n in range(4, 8)]
    texts, beside = [("list.csv", b"a,b\n"), ("notes", b"x")], [("0.npy", noise(1, 600)[0].tobytes())]
    write(tmp_path / "train-0.tar", *pairs(4), *texts, *raws)
    write(tmp_path / "good.tar", *pairs(1)[:1], *beside, *pairs(1)[1:], *pairs(3, 1), *texts)
    for ask in (lambda: read(options(tmp_path)), options(tmp_path).contents):
        with pytest.raises(
            InputError, match=r"4 of 8 files among the images .*train-0.tar/4.nef, .*raise dataset.max_unr"
        ):
            ask()
    assert len(read(options(tmp_path, max_unreadable=0.5, test_share=0.0)).train) == 4
    assert len(read(options(tmp_path, train=str(tmp_path / "good.tar"), test_share=0.0)).train) == 4


def test_samples_without_a_label_among_others_are_counted(tmp_path: Path, capsys) -> None:
    members = [member for member in pairs(8) if member[0].endswith("jpg") or member[0] in ("0.cls", "1.cls")]
    write(tmp_path / "train-0.tar", *members)
    write(tmp_path / "test.tar", *pairs(2))
    made = options(tmp_path, test=str(tmp_path / "test.tar"))
    assert made.contents().facts["without a label"] == "6 of train"
    study = tmp_path / "x.yaml"
    study.write_text(f"""
question: q
dataset: {{use: webdataset, name: toy, train: "{tmp_path}/train-0.tar", test: "{tmp_path}/test.tar"}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 2}}
evaluation: [{{use: knn, k: 1}}]
""")
    for stage in ("look", "plan"):
        assert main([stage, str(study)]) == 0
        told = capsys.readouterr().out
        assert "without a label: 6 of train" in told
        assert "8 pixels wide, 8 high, " in told


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_of_large_tars_planning_says_what_it_does_not_know_and_shows_their_beginning(
    tmp_path: Path, monkeypatch, mode
) -> None:
    members = [(f"{n}.{kind}", data) for n in range(8) for kind, data in (("jpg", IMAGES[n]), ("cls", b"%d" % (7 * n)))]
    write(tmp_path / "train-0.tar", *members, ("README", b"x"), mode=mode)
    made = options(tmp_path, train=str(tmp_path / "train-*.tar"))
    assert (made.uncounted(), made.contents().train + made.contents().test) == ([], 8)
    monkeypatch.setattr(webdataset, "MOST_BYTES" if mode == "w" else "MOST_COMPRESSED", 100)
    assert made.contents() is None
    why, seen = made.uncounted()
    assert f"1 tars of 0.0 GB, {int(mode != 'w')} of them compressed" in why
    assert "look STUDY goes through all" in why
    assert seen.endswith(
        "train-0.tar: 7 samples, 0 without a label, 7 classes (0 to 42); left out: 1 no file ending (train-0.tar/README)"
    )
    monkeypatch.setattr(webdataset, "GLIMPSE", 14000)
    assert ": 2 samples, 0 without a label, 2 classes (0 to 7)" in made.uncounted()[1]
    assert len(read(made).train) == 6  # packing and look see all


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ("{use: knn, k: 50}", "evaluation.knn.k: 50 neighbours asked for, but only 6 images vote"),
        (
            "{use: few_shot, ways: 2, shots: [5]}",
            "evaluation.few_shot.ways: 2 classes asked for, but only 0 of 2 have",
        ),
        ("{use: low_shot, labels: [9]}", "evaluation.low_shot.labels: 9 images a class asked for, but class 0"),
    ],
)
def test_what_large_tars_are_too_small_for_is_refused_when_they_are_packed(
    tmp_path: Path, capsys, monkeypatch, evaluation: str, message: str
) -> None:
    """Planning does not open them; nothing is trained before the shards are there."""
    monkeypatch.setattr(webdataset, "MOST_COMPRESSED", 0)
    write(tmp_path / "train.tar.gz", *pairs(8), mode="w:gz")
    study, results = tmp_path / "few.yaml", tmp_path / "results"
    study.write_text(f"""
question: q
dataset: {{use: webdataset, name: toy, train: "{tmp_path}/train.tar.gz"}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 2}}
evaluation: [{evaluation}]
floors: false
""")
    assert main(["plan", str(study), "--results", str(results), "--write"]) == 0
    assert "not counted before packing: 1 tars of" in capsys.readouterr().out
    (folder,) = (results / "jobs" / "shards").iterdir()
    assert main(["shards", "--job", str(folder)]) == 1
    assert f"study few, data set toy: {message}" in capsys.readouterr().err
    assert (folder / "record.json").exists()  # the shards themselves are good
    other = {"run": "x", "studies": ["somewhere/other.yaml"], "units": []}
    write_json(results / "units" / "units.json", other)  # a run of another study goes on
    assert main(["shards", "--job", str(folder)]) == 0


def test_a_file_that_is_no_tar_is_called_what_it_is(tmp_path: Path) -> None:
    for start, what in ((b"PK\x03\x04", "a zip"), (b"\x28\xb5\x2f\xfd", "compressed by zstd")):
        (tmp_path / "train-0.tar").write_bytes(start + bytes(2000))
        with pytest.raises(InputError, match=f"train-0.tar: is {what}, no tar; unpack it, and pack"):
            options(tmp_path).check_files()


def test_a_range_that_nobody_has_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="over less than 1,000,000"):
        expand(str(tmp_path / "x-{0..99999999999}.tar"))


def test_class_numbers_with_gaps_are_names_and_numbers_that_nobody_has_are_no_classes(tmp_path: Path) -> None:
    labels = {"a": "7", "b": "90210", "c": "7.0", "d": "-1"}
    members = [(f"{key}.{kind}", data) for n, (key, label) in enumerate(labels.items())
               for kind, data in (("jpg", IMAGES[n]), ("cls", label.encode()))]  # fmt: skip
    write(tmp_path / "train-0.tar", *members)
    write(tmp_path / "test.tar", ("e.jpg", IMAGES[4]), ("e.cls", b"12"))
    made = options(tmp_path, test=str(tmp_path / "test.tar"), max_unreadable=0.0, holdout=0.0)
    source = read(made)
    assert source.classes == ("7", "12", "90210")
    assert [sample.label for sample in source.samples("train")] == source.train.labels.tolist() == [0, 2, 0, -1]
    assert [sample.label for sample in source.samples("test")] == [1]
    index = build_shards(source, made, tmp_path / "out")
    counts = {"train": [2, 0, 1], "test": [0, 1, 0], "holdout": [0, 0, 0]}
    assert (index.classes, index.class_counts) == (source.classes, counts)
