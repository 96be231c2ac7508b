"""Several labels an image: average precision by hand and by scikit-learn, what is ignored, and a small copy of VOC 2007."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from study_tools import Made
from voc_tools import tagged_voc

from pipelines.errors import InputError
from pipelines.evaluation.multi_label import measure
from pipelines.evaluation.tagged import TaggedFeatures
from pipelines.report.comparison import comparisons
from pipelines.report.study import results_of
from pipelines.sources.base import open_source
from pipelines.spec.datasets.voc import CLASSES
from pipelines.spec.datasets.voc import Options as Voc
from pipelines.spec.evaluation.multi_label import Options
from pipelines.spec.plan import plan_file

NAMES = ("bird", "boat", "bus")


def tagged(noise: float = 1.0) -> TaggedFeatures:
    """Each class adds a direction of its own; some images are hard for the first."""
    draw = np.random.default_rng(0)
    directions = draw.normal(size=(3, 12))

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        target = (draw.random((count, 3)) < 0.4).astype(np.int8)
        rows = target @ directions + noise * draw.normal(size=(count, 12))
        target[::7, 0] = -1
        return rows.astype(np.float32), target

    return TaggedFeatures(*split(120), *split(80), NAMES)


def test_one_cost_is_scikit_learns_classifier_and_precision_of_the_images_that_count():
    given = tagged()
    found = measure(Options(costs=(0.1,)), given, 3)
    for number, name in enumerate(NAMES):
        learnt, asked = given.train_target[:, number] >= 0, given.test_target[:, number] >= 0
        svm = LinearSVC(C=0.1, class_weight={1: 2, 0: 1}, max_iter=2000, random_state=3)
        svm.fit(normalize(given.train[learnt]), given.train_target[learnt, number])
        scores = svm.decision_function(normalize(given.test[asked]))
        expected = average_precision_score(given.test_target[asked, number], scores)
        assert found.test[f"ap/{name}"] == pytest.approx(expected)
        order = np.argsort(-scores)
        hits = given.test_target[asked, number][order] == 1
        by_hand = (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()  # precision at every image that is right
        assert expected == pytest.approx(by_hand)
    assert found.test["map"] == pytest.approx(np.mean([found.test[f"ap/{name}"] for name in NAMES]))
    assert 0.5 < found.test["map"] < 1


def test_images_that_are_hard_for_a_class_change_nothing_of_it():
    given = tagged()
    train, test = given.train.copy(), given.test.copy()
    train[::7], test[::7] = 9, -9
    other = measure(Options(), replace(given, train=train, test=test), 0)
    assert other.test["ap/bird"] == measure(Options(), given, 0).test["ap/bird"]
    assert other.test["ap/boat"] != measure(Options(), given, 0).test["ap/boat"]


def test_costs_are_chosen_on_train_alone():
    given = tagged()
    wrong = replace(given, test_target=given.test_target[::-1].copy(), test=-given.test)
    one, other = measure(Options(), given, 0), measure(Options(), wrong, 0)
    assert one.chosen == other.chosen
    assert one.test != other.test
    assert set(one.chosen) == {f"cost/{name}" for name in NAMES}
    assert set(one.chosen.values()) <= set(Options().costs)


def test_clear_features_are_ranked_without_a_mistake():
    one = np.eye(3, dtype=np.int8)[np.arange(90) % 3]
    given = TaggedFeatures(one[:60].astype(np.float32), one[:60], one[60:].astype(np.float32), one[60:], NAMES)
    assert set(measure(Options(), given, 0).test.values()) == {1.0}


@pytest.mark.parametrize(
    ("split", "value", "message"),
    [
        ("train", 0, "train has 0 images with boat, and 3 are needed.*give one cost"),
        ("test", 1, "test has 0 images without boat, and 1 are needed"),
    ],
)
def test_a_class_that_nothing_can_be_said_of_is_refused(split, value, message):
    given = tagged()
    target = getattr(given, f"{split}_target").copy()
    target[:, 1] = value
    with pytest.raises(InputError, match=rf"^evaluation\.multi_label: {message}"):
        measure(Options(), replace(given, **{f"{split}_target": target}), 0)


def test_broken_rows_and_equal_costs_are_refused():
    given = tagged()
    given.test[2, 1] = np.nan
    with pytest.raises(InputError, match="1 of 80 rows of test hold NaN"):
        measure(Options(), given, 0)
    with pytest.raises(ValidationError, match="must be different"):
        Options(costs=(1.0, 1.0))


STUDY = """
question: q
dataset: {{use: voc, folder: {folder}, image_size: 24}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 16}}
evaluation: [{{use: multi_label, costs: [0.1, 10.0]}}]
"""


def test_a_small_copy_of_voc_is_packed_and_raw_pixels_tell_what_is_seen(tmp_path):
    tagged_voc(tmp_path)
    made = Made.of(STUDY.format(folder=tmp_path), tmp_path)
    said = json.loads((made.shards() / "record.json").read_text())
    assert (said["metrics"]["data/train"], said["metrics"]["data/test"], said["flags"]) == (80, 60, [])
    jobs = {job.spec.source.use: job for job in made.plan.of("evaluate")}
    assert set(jobs) == {"pixels", "untrained", "pretrain"}
    made.run(*(jobs[name] for name in ("pixels", "untrained")))
    pixels, untrained = (made.record(jobs[name])["metrics"] for name in ("pixels", "untrained"))
    assert set(pixels) == {"test/map", *(f"test/ap/{name}" for name in CLASSES)}
    assert pixels["test/map"] > 0.9  # about 0.3 of the images show a class
    assert 0.2 < untrained["test/map"] < pixels["test/map"]
    with np.load(jobs["pixels"].folder(made.results) / "answers.npz", allow_pickle=False) as kept:
        assert len(set(kept["ids"].tolist())) == 60
    (found,) = comparisons(results_of(made.plan.dump(), made.results, "plan"))
    estimate = next(cell.estimate for (row, _), cell in found.cells.items() if row.origin == "untrained")
    assert (estimate.counts, estimate.mean) == ("images", pytest.approx(100 * untrained["test/map"]))
    assert estimate.low < estimate.mean < estimate.high


def test_protocols_on_labels_are_refused_on_it_and_it_elsewhere(tmp_path):
    tagged_voc(tmp_path)
    text = STUDY.format(folder=tmp_path)
    file = tmp_path / "x.yaml"
    file.write_text(text.replace("evaluation: [", "evaluation: [{use: knn}, "))
    with pytest.raises(InputError, match=r"evaluation: voc has no labels.* and knn would need more"):
        plan_file(file)
    file.write_text(text.replace(f"voc, folder: {tmp_path}", "digits"))
    with pytest.raises(InputError, match=r"evaluation\[0\]: multi_label needs images of several labels.*take voc"):
        plan_file(file)


def test_lists_that_do_not_fit_together_are_refused(tmp_path):
    tagged_voc(tmp_path)
    path = tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main" / "cat_test.txt"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(InputError, match=r"cat_test\.txt and aeroplane_test\.txt are not of the same images"):
        open_source(Voc(folder=str(tmp_path), image_size=24))


def test_what_was_said_of_every_image_gives_every_precision_again():
    features = tagged()
    found = measure(Options(costs=(1.0,)), features, 0)
    for number, name in enumerate(features.names):
        asked = found.answers["target"][:, number] >= 0
        again = average_precision_score(found.answers["target"][asked, number], found.answers["score"][asked, number])
        assert again == pytest.approx(found.test[f"ap/{name}"])
