"""Predictions: saved whole, read strictly, stacked only when they are of the same images."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.evaluation.predictions import Predictions, correctness


def example(m: int = 50, classes: int = 10, seed: int = 0, score: bool = False) -> Predictions:
    generator = np.random.default_rng(seed)
    label = np.arange(m) % classes
    named = np.where(generator.random(m) < 0.8, label, generator.integers(0, classes, m))
    return Predictions.of([f"test/{i:06d}" for i in range(m)], label, named, generator.random(m) if score else None)


@pytest.mark.parametrize("score", [False, True])
def test_saved_and_loaded_are_equal(tmp_path: Path, score: bool) -> None:
    made = example(score=score)
    made.save(tmp_path / "a.npz")
    found = Predictions.load(tmp_path / "a.npz", length=50)
    for name in ("ids", "label", "predicted", "score"):
        one, other = getattr(made, name), getattr(found, name)
        assert (one is None) == (other is None)
        assert one is None or (one.dtype == other.dtype and np.array_equal(one, other))
    made.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize(("classes", "kind"), [(10, np.uint8), (256, np.uint8), (257, np.uint16), (70_000, np.uint32)])
def test_classes_take_the_smallest_type(classes: int, kind: type) -> None:
    made = Predictions.of(["a", "b"], [0, classes - 1], [0, 0])
    assert (made.label.dtype, made.predicted.dtype) == (kind, np.uint8)
    assert made.correct.tolist() == [True, False]


def test_ten_thousand_images_are_some_ten_kilobytes(tmp_path: Path) -> None:
    example(10_000).save(tmp_path / "p.npz")
    assert (tmp_path / "p.npz").stat().st_size < 60_000


def test_what_is_no_predictions_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(InputError, match=r"p.npz: not a readable predictions file"):
        Predictions.load(path)
    example().save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:-10], whole[: len(whole) // 2], b"nothing of the kind"):
        path.write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"p.npz: not a readable predictions file .* run: python -m pipelines evaluate"
        ):
            Predictions.load(path)
    for place in range(40, len(whole) - 40, 29):  # whatever byte is wrong, nothing wrong is read
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = Predictions.load(path)
        except InputError:
            continue
        assert np.array_equal(found.predicted, example().predicted)
        assert np.array_equal(found.label, example().label)


def test_another_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    example().save(path)
    with pytest.raises(InputError, match="holds 50 images, the test split has 60"):
        Predictions.load(path, length=60)
    good = {"ids": np.array(["a", "b"]), "label": np.zeros(2, np.uint8), "predicted": np.zeros(2, np.uint8)}
    for changes, message in (
        ({"label": np.zeros(3, np.uint8)}, r"label is uint8 \(3,\) for 2 ids"),
        ({"predicted": np.zeros(2, np.int64)}, "predicted is int64"),
        ({"ids": np.array(["a", "a"])}, "two images have the same id"),
        ({"ids": np.array([1, 2])}, "ids are int64"),
        ({"score": np.array([0.5, np.nan], np.float16)}, "score is float16"),
        ({"extra": np.zeros(1)}, "holds .*extra"),
    ):
        np.savez_compressed(path, **(good | changes))
        with pytest.raises(InputError, match=message):
            Predictions.load(path)
    np.savez_compressed(path, ids=np.array(["a", None], dtype=object), label=good["label"], predicted=good["label"])
    with pytest.raises(InputError, match="not a readable"):  # pickled
        Predictions.load(path)


def test_what_cannot_be_kept_is_refused() -> None:
    for ids, label, predicted, score in (
        (["a", "b"], [0, 1], [0], None),
        (["a", "b"], [0, -1], [0, 0], None),
        (["a", "b"], [0, 0.5], [0, 0], None),
        (["a", "a"], [0, 1], [0, 0], None),
        ([], [], [], None),
        (["a", "b"], [0, 1], [0, 0], [1.0, np.inf]),
    ):
        with pytest.raises(ValueError, match="predictions: "):
            Predictions.of(ids, label, predicted, score)


def test_seeds_are_stacked_and_other_images_refused() -> None:
    one, other = example(seed=0), example(seed=1)
    found = correctness([one, other])
    assert found.shape == (2, 50)
    assert found[1].tolist() == (other.predicted == other.label).tolist()
    shuffled = Predictions(one.ids[::-1], one.label[::-1], one.predicted[::-1])
    for wrong in (shuffled, example(40)):
        with pytest.raises(InputError, match="predictions 0 and 1 are not of the same test images"):
            correctness([one, wrong])
    with pytest.raises(ValueError, match="no predictions"):
        correctness([])
