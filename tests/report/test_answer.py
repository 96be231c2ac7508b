"""The answer at the head of the page, against the numbers it is made from."""

from pathlib import Path

import numpy as np
from report_tools import FakeStudy, answered, finish, planned

from pipelines.files import read_json
from pipelines.report.answer import Answer, answer
from pipelines.report.claims import judged
from pipelines.report.comparison import comparisons
from pipelines.report.study import load_results

DATASET = {"use": "digits"}
STUDY = """
question: Which is best?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods: [{{use: simclr, label: good}}, {{use: byol, label: fair}}, {{use: simsiam, label: bad}}]
training: {{epochs: 2, batch_size: 64}}
seeds: {seeds}
evaluation: [{{use: knn}}]
"""


def answered_by(plan: Path, folder: Path) -> Answer:
    results = load_results(plan, folder)
    found = comparisons(results)
    return answer(results, found, judged(results, found))


def with_seeds(folder: Path, seeds: int, study: str = STUDY) -> Answer:
    """400 test images; good and fair take turns by seed, bad is 40 points below good and its encoder 60."""
    plan = planned(folder, study.format(seeds=list(range(seeds))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            seed = job["spec"]["seed"]
            level = {"good": 362, "fair": 360 + 4 * (seed % 2), "bad": 202}.get(job["label"], 122)
            answered(folder, job, np.arange(400) < level + 2 * (seed % 3))
        else:
            finish(folder, job, seconds=90.0)
    return answered_by(plan, folder)


def test_best_margin_noise_and_cost_are_said_in_at_most_three_sentences(tmp_path: Path) -> None:
    found = with_seeds(tmp_path, 6)
    first, second, third = found.best
    assert first.startswith("On digits, good is the highest of 3 methods by kNN: 91.0 % [")
    assert "] over 6 seeds, 0.0 points [" in first
    assert first.endswith("] above the next method, fair.")
    assert second == "Within noise of it: the method fair."
    assert third == "A pretraining of good took 1 min 30 s."
    assert "-0.0" not in str(found)


def test_floors_and_the_machine_are_told_below(tmp_path: Path) -> None:
    (text,) = with_seeds(tmp_path, 6).more
    assert text.startswith("On digits, good by kNN: Before any training its encoder is 60.0 points [")
    assert "] below it. Raw pixels have 30.5 %, 60.5 points [" in text
    assert text.endswith("] less. A pretraining of it took 1 min 30 s (median) on Some CPU.")


def test_the_verdicts_on_claims_come_first_by_what_they_are(tmp_path: Path) -> None:
    asked = [("good", "bad"), ("bad", "good"), ("good", "fair"), ("fair", "bad"), ("bad", "fair"), ("good", "bad")]
    lines = [f"  - {{text: 'Claim {i}.', first: {one}, second: {other}}}" for i, (one, other) in enumerate(asked)]
    found = with_seeds(tmp_path, 6, STUDY + "claims:\n" + "\n".join(lines).replace("{", "{{").replace("}", "}}"))
    assert found.counted == found.short[0] == "Of 6 claims 3 are supported, 2 are contradicted and 1 is not settled."
    assert [(group.decision, group.texts, group.left) for group in found.claims] == [
        ("supported", ("Claim 0.", "Claim 3.", "Claim 5."), 0),
        ("contradicted", (), 2),
        ("not settled", ("Claim 2.",), 0),
    ]


def test_variants_of_one_method_are_arms_and_of_some_rows(tmp_path: Path) -> None:
    arms = STUDY.replace("use: byol", "use: simclr").replace("use: simsiam", "use: simclr, temperature: 0.3")
    arms = arms.replace("use: simclr, label: fair", "use: simclr, temperature: 0.4, label: fair")
    (first, second, _) = with_seeds(tmp_path / "arms", 6, arms).best
    assert "good is the highest of 3 arms by kNN" in first
    assert second == "Within noise of it: the arm fair."
    some = STUDY.replace("use: byol", "use: simclr, temperature: 0.4")
    assert "the highest of 3 rows by kNN" in with_seeds(tmp_path / "some", 6, some).best[0]


def test_lines_for_a_terminal_are_three_and_short(tmp_path: Path) -> None:
    claims = "claims: [{{text: Good is better., first: good, second: bad}}]"
    lines = with_seeds(tmp_path, 6, STUDY + claims).short
    assert lines[0] == "The claim is supported."
    assert lines[1].startswith("On digits, good is the highest of 3 methods by kNN: 91.0 % [")
    assert lines[2:] == ("Within noise of it: 1 of the 2 others.",)
    assert max(map(len, lines)) <= 100


def test_an_interval_that_looks_like_a_difference_has_its_p_beside_it(tmp_path: Path) -> None:
    plan = planned(tmp_path, STUDY.format(seeds=list(range(6))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            behind = {"fair": (20, 20, 20, 20, 20, -2), "bad": (200,) * 6}.get(job["label"], (0,) * 6)
            answered(tmp_path, job, np.arange(400) < 360 - behind[job["spec"]["seed"]])
    found = answered_by(plan, tmp_path)
    assert "] above the next method, fair (but p is 0.062 over 6 seeds)." in found.best[0]
    assert found.best[1].startswith("Within noise of it: the method fair")


def test_several_data_sets_share_one_sentence(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    for dataset, best in ((DATASET, 0.9), ({"use": "mnist_5k"}, 0.5)):
        fake.run("simclr", 0, dataset, {"knn": {"test/top1": best}})
        fake.run("byol", 0, dataset, {"knn": {"test/top1": 0.4}})
    found = answered_by(fake.save(), tmp_path)
    assert found.best[0] == "The highest by kNN: on digits simclr (90.0 %) and on mnist_5k simclr (50.0 %)."
    assert [text.split(",")[0] for text in found.more] == ["On digits", "On mnist_5k"]
    assert found.short[0] == found.best[0]
    assert len(found.best) <= 3


def test_where_every_method_saw_the_labels_none_is_best_and_none_is_said_to_be_missing(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, STUDY.format(seeds=[0]).replace("{use: simclr, label: good}", "{use: supervised, label: told}")
    )
    for job in read_json(plan)["jobs"]:
        if job["label"] in ("fair", "bad"):
            continue
        if job["stage"] == "evaluate":
            answered(tmp_path, job, np.arange(400) < 300)
        else:
            finish(tmp_path, job, seconds=90.0)
    assert answered_by(plan, tmp_path).best[0] == (
        "On digits every method that has finished saw the labels of the images (told), so none is called the best."
    )


def test_few_seeds_make_no_verdict(tmp_path: Path) -> None:
    found = with_seeds(tmp_path, 2)
    assert found.best[1] == (
        "With fewer than 6 seeds in common this is an order of means: no test can show a difference."
    )
    assert "Within noise" not in str(found)


def test_nothing_is_best_before_a_method_has_all_its_seeds(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, {})
    found = answered_by(fake.save(), tmp_path)
    assert found.best[0] == found.short[0]
    assert found.best[0] == "On digits no method has finished all its seeds yet, so there is nothing to compare."
    assert found.best[1].endswith("jobs are missing.")


def test_a_method_below_its_floor_and_alone_is_said_to_be(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, {"knn": {"test/top1": 0.6}, "linear": {"test/top1": 0.7}})
    fake.evaluate("untrained resnet18w16", "untrained", 0, DATASET, {"knn": {"test/top1": 0.8}})
    found = answered_by(fake.save(), tmp_path)
    assert found.best[0] == "On digits, simclr is the only method by kNN: 60.0 % over 1 seed."
    assert found.best[1] == "As high or higher: its own encoder before training (80.0 %)."
    assert "Before any training its encoder is 20.0 points above it." in found.more[0]
    assert "It is first by linear probe too." in found.more[0]
