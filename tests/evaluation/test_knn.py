"""kNN: InstDisc's and DINO's rule and MoCo's demo against their references, chunks, and what is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from pipelines.errors import InputError
from pipelines.evaluation import knn
from pipelines.evaluation.accuracy import accuracies
from pipelines.evaluation.features import Features
from pipelines.spec.evaluation.knn import Options as Knn


@both_precisions
def test_equals_dino(dtype: torch.dtype) -> None:
    given, expected = tensors("knn", dtype), load("knn")
    k, temperature, classes = int(expected["k"]), float(expected["temperature"]), int(expected["num_classes"])
    train, label, test = given["train_features"], given["train_labels"], given["test_features"]
    votes = knn.votes(train, label, test, classes, k, temperature)
    assert_close(votes, expected["votes"], dtype)
    assert_close(votes.argmax(1), expected["predictions"], dtype)
    found = knn.accuracy(Knn(k=k, temperature=temperature), train, label, test, given["test_labels"], classes)
    assert found["top1"] * 100 == pytest.approx(float(expected["top1"]))
    assert found["top5"] * 100 == pytest.approx(float(expected["top5"]))


@both_precisions
def test_equals_moco_demo(dtype: torch.dtype) -> None:
    given, expected = tensors("knn_predict", dtype), load("knn_predict")
    k, temperature, classes = int(expected["k"]), float(expected["T"]), int(expected["n_classes"])
    votes = knn.votes(given["bank"], given["bank_labels"], given["query"], classes, k, temperature)
    assert_close(votes, expected["class_scores"], dtype)
    assert accuracies(votes, given["query_labels"])["top1"] == pytest.approx(float(expected["accuracy"]))


def features(n: int = 300, m: int = 90, classes: int = 3, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, 8, generator=generator)
    label, test_label = torch.arange(n) % classes, torch.arange(m) % classes
    train = centres[label] + 0.5 * torch.randn(n, 8, generator=generator)
    test = centres[test_label] + 0.5 * torch.randn(m, 8, generator=generator)
    return Features(train, label, torch.arange(0, n, 5), test, test_label, classes)


def test_one_neighbour_is_a_look_up_and_length_does_not_matter() -> None:
    f = features()
    own = knn.votes(f.train, f.train_label, f.train * 7, 3, k=1, temperature=0.5)
    expected = F.one_hot(f.train_label, 3) * torch.tensor(2.0).exp()  # itself, with cosine 1
    torch.testing.assert_close(own, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("k", [1, 4])
def test_leave_one_out_is_scikit_learns(k: int) -> None:
    f = features(n=60, m=25)
    rows, label = torch.cat([f.train, f.test]).double(), torch.cat([f.train_label, f.test_label]).numpy()
    model = KNeighborsClassifier(k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    named = cross_val_predict(model, rows.numpy(), label, cv=LeaveOneOut())
    found = knn.measure(Knn(k=k, leave_one_out=True), f).test
    assert found["leave_one_out"] == pytest.approx((named == label).mean())
    assert found["leave_one_out_mean_per_class"] == pytest.approx(balanced_accuracy_score(label, named))
    assert 0.5 < found["leave_one_out"] < 1
    several = knn.measure(Knn(k=(k, 9), leave_one_out=True), f).test
    assert several["leave_one_out"] == several[f"leave_one_out_k{k}"] == found["leave_one_out"]
    assert several["leave_one_out_k9"] == knn.measure(Knn(k=9, leave_one_out=True), f).test["leave_one_out"]


def test_no_row_votes_for_itself_among_equal_ones() -> None:
    """Ten rows of which all are equal: a search that cut itself off by its place would count some of them."""
    rows = torch.ones(10, 3)
    similarity, place = knn.others(rows, 4)
    assert similarity.shape == place.shape == (10, 4)
    assert not (place == torch.arange(10).unsqueeze(1)).any()
    assert all(len(set(row)) == 4 for row in place.tolist())


def test_as_many_neighbours_as_there_are_others() -> None:
    f = features(n=30, m=10)
    assert knn.measure(Knn(k=39, leave_one_out=True), f).test["leave_one_out"] > 0
    with pytest.raises(InputError, match="40 neighbours asked for, but only 39 images vote"):
        knn.measure(Knn(k=40, leave_one_out=True), f)


def test_the_option_changes_no_key_while_it_is_off() -> None:
    assert Knn().model_dump(mode="json") == {"use": "knn", "k": 20, "temperature": 0.07}
    on = Knn(leave_one_out=True)
    assert Knn.model_validate(on.model_dump(mode="json")) == on
    assert (Knn().numbers, on.numbers) == (("top1",), ("leave_one_out",))


def test_chunks_give_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    f = features()
    whole = knn.votes(f.train, f.train_label, f.test, 3, 20, 0.07)
    for bank, elements in ((knn.BANK, 7 * len(f.train)), (8 * 50, 100), (1, 1)):
        monkeypatch.setattr(knn, "BANK", bank)
        monkeypatch.setattr(knn, "ELEMENTS", elements)
        found = knn.votes(f.train, f.train_label, f.test, 3, 20, 0.07)
        torch.testing.assert_close(
            found, whole, rtol=1e-5, atol=1e-5
        )  # 1 / temperature makes a rounding 14 times as large


def test_votes_are_scikit_learns_on_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cosine distance d is 1 - s, so that exp((1 - d) / temperature) is our weight."""
    pixels, label = load_digits(return_X_y=True)
    rows, number = torch.tensor(pixels), torch.tensor(label)
    peer = KNeighborsClassifier(20, weights=lambda d: np.exp((1 - d) / 0.07), metric="cosine", algorithm="brute")
    peer.fit(pixels[:1200], label[:1200])
    expected = torch.tensor(peer.predict_proba(pixels[1200:]))
    for bank in (knn.BANK, 64 * 90):  # one block, and blocks of 90 rows
        monkeypatch.setattr(knn, "BANK", bank)
        found = knn.votes(rows[:1200], number[:1200], rows[1200:], 10, 20, 0.07)
        torch.testing.assert_close(found / found.sum(1, keepdim=True), expected)
        assert found.argmax(1).tolist() == peer.predict(pixels[1200:]).tolist()


@pytest.mark.parametrize(("bank", "elements"), [(8 * 7, 2**24), (8 * 300, 90), (1, 1), (8 * 299, 13)])
def test_blocks_and_chunks_find_the_neighbours_of_a_slow_loop(
    monkeypatch: pytest.MonkeyPatch, bank: int, elements: int
) -> None:
    f = features()
    monkeypatch.setattr(knn, "BANK", bank)
    monkeypatch.setattr(knn, "ELEMENTS", elements)
    similarity, place = knn.neighbours(f.train, f.test, 11)
    for row, cosine, where in zip(f.test, similarity, place):
        every = [F.cosine_similarity(row, other, dim=0) for other in f.train]
        expected = sorted(range(len(every)), key=lambda i: -every[i])[:11]
        assert where.tolist() == expected
        torch.testing.assert_close(cosine, torch.stack([every[i] for i in expected]))


def test_several_k_are_each_alone_and_the_first_is_the_headline() -> None:
    f = features()
    found = knn.measure(Knn(k=(20, 1, 200)), f)
    for k in (20, 1, 200):
        alone = knn.measure(Knn(k=k), f)
        assert {name: found.test[f"{name}_k{k}"] for name in alone.test} == pytest.approx(alone.test)
    assert {name: found.test[name] for name in ("top1", "top5", "mean_per_class")} == knn.measure(Knn(k=20), f).test
    assert torch.equal(found.predicted, knn.measure(Knn(k=20), f).predicted)
    assert set(knn.measure(Knn(k=(20,)), f).test) == {"top1", "top5", "mean_per_class"}
    with pytest.raises(InputError, match=r"knn.k: 301 neighbours"):
        knn.measure(Knn(k=(20, 301)), f)


def test_all_rows_of_train_vote_on_test() -> None:
    f = features()
    f.train[f.holdout] = F.normalize(torch.randn(len(f.holdout), 8, generator=torch.Generator().manual_seed(9)), dim=1)
    twin = Features(f.train, f.train_label, f.holdout, f.train[f.holdout], f.train_label[f.holdout], 3)
    assert knn.measure(Knn(k=1), twin).test["top1"] == 1.0  # test rows that are in train find themselves


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match=r"knn.k: 301 neighbours .* only 300 images"):
        knn.measure(Knn(k=301), features())


def test_accuracies_by_hand() -> None:
    scores = torch.tensor(
        [[9.0, 1, 2, 3, 4, 5, 6], [9, 1, 2, 3, 4, 5, 6], [9, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]]
    )
    found = accuracies(scores, torch.tensor([0, 2, 1, 0]))
    assert found == pytest.approx({"top1": 1 / 4, "top5": 1 / 4, "mean_per_class": (1 / 2 + 0 + 0) / 3})
    assert accuracies(scores, torch.tensor([0, 3, 3, 5]))["top5"] == 1
    assert accuracies(scores[:, :3], torch.tensor([0, 2, 1, 0]))["top5"] == 1
