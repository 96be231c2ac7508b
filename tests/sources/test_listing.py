"""What planning sees of a user's folders and tars, before any job."""

from pathlib import Path

import pytest
from source_tools import make_folder

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.listing.layout import layout_of
from pipelines.listing.paths import expand, expanded
from pipelines.sources.imagefolder import read
from pipelines.spec.datasets.imagefolder import Options as ImageFolder

STUDY = """
question: q
dataset: {{{dataset}}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{{use: knn}}]
"""


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("use: imagefolder, name: mine, folder: {}/nowhere", "nowhere: dataset.folder is no folder, it does not exist"),
        ("use: imagefolder, name: mine, folder: {}/x.yaml", "x.yaml: dataset.folder is no folder, it is a file"),
        ("use: imagefolder, name: mine, folder: {}/bare", "bare: no class folders and no images"),
        ("use: imagefolder, name: mine, folder: {}/hollow", "hollow/b: the class folder holds no image"),
        ("use: webdataset, name: mine, train: '{}/t-*.tar'", "t-*.tar: no such tar"),
        ("use: cifar10, folder: {}", "cifar-10-batches-py: no such folder"),
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
    (tmp_path / "list.txt").write_text("great white a shark\ntench, Tinca\ntench the fish\n")
    with pytest.raises(InputError, match=r"tench,: no such class folder"):
        layout_of(tmp_path / "images", class_list=tmp_path / "list.txt").check()
    (tmp_path / "list.txt").write_text("great white a shark\ngreat\ntench the fish\n")
    layout = layout_of(tmp_path / "images", class_list=tmp_path / "list.txt")
    assert layout.classes == ("great white", "great", "tench")
