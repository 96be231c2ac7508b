"""What of a study becomes which run, and what its metrics are called."""

from pathlib import Path

import pytest
from tracking.job_folders import DATASET, KNN, SPEC, STUDY, evaluated, folder, judged_by, planned

from pipelines.errors import DamagedFile
from pipelines.files import digest
from pipelines.tracking.names import measured_on, protocol_names
from pipelines.tracking.tree import StudyTree, TrackedRow, Trees

MNIST = {"use": "mnist_5k", "limit": None}


def tree(results: Path) -> StudyTree:
    (found,) = Trees(results).read([STUDY])
    return found


def prefixes(row: TrackedRow) -> list[str]:
    return sorted(part.prefix for part in row.encoders[0].parts)


def test_an_option_stands_in_a_name_only_where_it_tells_two_apart() -> None:
    plain = {"use": "linear", "epochs": 30, "lrs": [1.0, 3.0]}
    both = [plain, {**plain, "lrs": [1.0]}]
    several = [KNN, {"use": "knn", "k": [5, 20]}, {"use": "knn", "k": [5, 200]}]
    for options, expected in (
        ([plain], ["linear"]),
        (both, ["linear-lrs-1_3", "linear-lrs-1"]),
        (several, ["knn20", "knn5-k-5_20", "knn5-k-5_200"]),
    ):
        names = protocol_names(options)
        assert [names[digest(each, 16)] for each in options] == expected


def test_where_an_encoder_is_measured_elsewhere_the_data_set_is_named() -> None:
    assert measured_on("linear", "digits", "digits") == "linear"
    assert measured_on("linear", "mnist", "digits") == "transfer/mnist/linear"


def test_seeds_of_one_label_are_one_row_with_their_evaluations_inside(tmp_path: Path) -> None:
    for seed in (0, 1):
        folder(tmp_path, f"moco-{seed}", seed=seed)
        evaluated(tmp_path, f"moco-{seed}", seed=seed)
        evaluated(tmp_path, f"moco-{seed}", seed=seed, dataset=MNIST)
    evaluated(tmp_path, "", label="raw pixels", source={"use": "pixels"})
    evaluated(tmp_path, "", label="raw pixels", source={"use": "pixels"}, dataset=MNIST)
    method, floor = tree(tmp_path).rows
    assert (method.label, method.kind, [encoder.seed for encoder in method.encoders]) == ("moco", "method", [0, 1])
    assert (floor.label, floor.kind) == ("raw pixels", "floor")
    assert prefixes(method) == prefixes(floor) == ["knn20", "transfer/mnist_5k/knn20"]
    assert len(method.folders) == 6
    assert tree(tmp_path).main == "knn20/top1"


def test_a_study_is_judged_by_the_number_that_its_plan_names(tmp_path: Path) -> None:
    folder(tmp_path, "moco-0")
    shots = {"use": "few_shot", "shots": [2, 4], "draws": 2}
    for evaluation in (KNN, shots):
        evaluated(tmp_path, "moco-0", evaluation=evaluation)
    for evaluation, number, main in ((shots, "2_shot", "few_shot/2_shot"), (KNN, "top1", "knn20/top1")):
        judged_by(tmp_path, evaluation, number)
        assert tree(tmp_path).main == main


def test_floors_stand_beside_the_methods_of_every_data_set_that_is_pretrained_on(tmp_path: Path) -> None:
    for name, data in (("a", DATASET), ("b", MNIST)):
        folder(tmp_path, f"moco-{name}", dataset=data)
        evaluated(tmp_path, f"moco-{name}", dataset=data)
        evaluated(tmp_path, "", label="raw pixels", source={"use": "pixels"}, dataset=data)
    rows = tree(tmp_path).rows
    assert [row.label for row in rows] == [
        "moco (digits)",
        "moco (mnist_5k)",
        "raw pixels (digits)",
        "raw pixels (mnist_5k)",
    ]
    assert {tuple(prefixes(row)) for row in rows} == {("knn20",)}
    assert len({row.key for row in rows}) == 4


def test_what_saw_the_labels_and_what_is_from_a_file_is_no_method(tmp_path: Path) -> None:
    folder(tmp_path, "supervised-1", label="supervised", method={"use": "supervised"})
    folder(tmp_path, "clip-1", label="clip", method={"use": "clip"})
    folder(tmp_path, "clip-2", label="clip on captions", method={"use": "clip"}, dataset={"use": "webdataset"})
    evaluated(tmp_path, "", label="torchvision", source={"use": "checkpoint"})
    planned(tmp_path, "tune", "search-1", "moco", {"shards": "digits-1"}, SPEC)
    kinds = {row.label: row.kind for row in tree(tmp_path).rows}
    assert kinds["supervised (digits)"] == kinds["clip (digits)"] == "reference"
    assert kinds["clip on captions (webdataset)"] == "method"
    assert kinds["torchvision (digits)"] == "checkpoint"
    assert kinds["moco (tuning) (digits)"] == "search"
    methods = {row.label: row.method for row in tree(tmp_path).rows}
    assert (methods["moco (tuning) (digits)"], methods["supervised (digits)"]) == ("moco", "supervised")


def test_a_plan_is_read_again_when_it_changed_and_left_out_while_it_is_cut(tmp_path: Path) -> None:
    folder(tmp_path, "moco-0")
    trees = Trees(tmp_path)
    first = trees.read()
    assert trees.read()[0] is first[0]
    folder(tmp_path, "simclr-0", label="simclr")
    assert [row.label for row in trees.read()[0].rows] == ["moco", "simclr"]
    for text in ('{"study": "te', '{"study": "tested", "jobs": [{}]}'):
        (tmp_path / STUDY / "plan.json").write_text(text)
        assert trees.read() == []
        (told,) = trees.unread
        assert f"{STUDY}/plan.json" in told
        assert "plan STUDY --write" in told
        with pytest.raises(DamagedFile):
            trees.read([STUDY])
