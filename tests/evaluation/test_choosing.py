"""Who judges a choice: the held-out slice where it is large, else every row of train once."""

import torch
from protocol_tools import changed, features, seeded

from pipelines.evaluation import choosing, few_shot, linear
from pipelines.evaluation.choosing import judges_of_draw, judging
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.linear import Options as Linear

OPTIONS = Linear(least_steps=60, epochs=1)
SHOTS = FewShot(shots=(2,), draws=3, strengths=(1e-2, 1.0, 1e4))


def test_folds_judge_every_row_once_and_never_learn_from_it():
    f = features()
    by, parts = judging(f, 6)
    assert by == "cv5"
    assert torch.cat([judge for _, judge in parts]).sort().values.tolist() == list(range(160))
    for learn, judge in parts:
        assert not set(learn.tolist()) & set(judge.tolist())
        assert len(learn) + len(judge) == 160
        assert torch.bincount(f.train_label[judge]).tolist() == [8] * 4  # stratified


def test_a_large_slice_judges_alone_and_so_does_any_where_nothing_is_chosen(monkeypatch):
    f = features()
    expected = (f.fit.tolist(), f.holdout.tolist())
    by, [(learn, judge)] = judging(f, 1)
    assert (by, learn.tolist(), judge.tolist()) == ("holdout", *expected)
    monkeypatch.setattr(choosing, "ENOUGH", 32)
    by, [(learn, judge)] = judging(f, 6)
    assert (by, learn.tolist(), judge.tolist()) == ("holdout", *expected)
    assert judging(changed(f, holdout=f.holdout[:0]), 1).parts == []


def test_few_rows_a_class_make_fewer_folds():
    f = features(num_classes=4, each=3, test=3)
    by, parts = judging(f, 6)
    assert (by, len(parts)) == ("cv3", 3)
    single = features(num_classes=4, each=1, test=3)
    assert judging(single, 6).by == "holdout"
    uneven = changed(f, train_label=torch.tensor([0] * 9 + [1, 2, 3]))  # classes that most folds miss
    assert judging(uneven, 6).by == "cv5"


def test_a_draw_is_judged_by_all_other_rows_or_by_a_large_slice(monkeypatch):
    f, drawn = features(), torch.tensor([1, 7, 9])
    assert judges_of_draw(f, drawn).tolist() == [i for i in range(160) if i not in (1, 7, 9)]
    monkeypatch.setattr(choosing, "ENOUGH", 32)
    assert judges_of_draw(f, drawn).tolist() == f.holdout.tolist()


def test_the_small_slice_itself_does_not_matter_to_a_probe():
    f = features()
    other = changed(f, holdout=torch.randperm(160, generator=seeded(5))[:32])
    one, two = (linear.measure(OPTIONS, each, seeded()) for each in (f, other))
    assert one == two


def test_the_record_says_who_judged(monkeypatch):
    f = features()
    assert linear.measure(OPTIONS, f, seeded()).derived["chosen/by"] == "cv5"
    assert few_shot.measure(SHOTS, f, seeded()).derived["chosen/by"] == "rest_of_train"
    assert "by" not in few_shot.measure(FewShot(shots=(2,), draws=3, strengths=(1.0,)), f, seeded()).chosen
    monkeypatch.setattr(choosing, "ENOUGH", 32)
    assert linear.measure(OPTIONS, f, seeded()).derived["chosen/by"] == "holdout"
    assert few_shot.measure(SHOTS, f, seeded()).derived["chosen/by"] == "holdout"


def test_mislabelled_rows_are_not_what_they_were_taught():
    """Folds that learnt from the rows they judge would call these what the wrong labels say."""
    f = features()
    spread = changed(f, train_label=f.train_label[torch.randperm(160, generator=seeded(3))])
    found = linear.choose(OPTIONS, spread, seeded())
    assert max(each.top1 for each in found.candidates) < 0.4
