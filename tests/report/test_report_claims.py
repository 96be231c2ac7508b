"""Claims of a study: which runs they mean, and the verdict that made-up records give them."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from report_tools import answered, finish, numbers_of, planned

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.files import read_json
from pipelines.report.build import build_report
from pipelines.report.claims import JudgedClaim, judged
from pipelines.report.comparison import comparisons
from pipelines.report.power import ASSUMED, PairCost, cost_of_a_pair, power_lines
from pipelines.report.study import load_results
from pipelines.report.verdicts import LETTERS, LINE, claims_chart, claims_table, groups, summary, told
from pipelines.spec.load import load_study
from pipelines.spec.plan import plan
from pipelines.stages import plan as plan_stage
from pipelines.statistics.claims import Decision
from pipelines.statistics.power import seeds_needed

TEXTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Does it help?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods:
  - {{use: simclr, label: base, grid: {{temperature: [0.1, 0.5]}}}}
  - {{use: byol, label: new}}
training: {{epochs: 2, batch_size: 64}}
seeds: {seeds}
evaluation: [{{use: knn}}, {{use: few_shot, ways: 2, shots: [1]}}]
claims:
{claims}
"""
IMAGES = 400
LEVELS = {"base[temperature=0.1]": 300, "base[temperature=0.5]": 320, "new": 360, "raw pixels": 200}
"""Of 400 images named rightly by kNN; untrained encoders: 100."""


def judge_all(folder: Path, claims: str, seeds: int = 6, finished: int | None = None) -> list[JudgedClaim]:
    """The verdicts of a study whose kNN names so many images rightly, two more or less by seed."""
    made = planned(folder, STUDY.format(seeds=list(range(seeds)), claims=claims))
    for job in read_json(made)["jobs"]:
        if job["stage"] == "evaluate" and job["spec"]["evaluation"]["use"] == "knn":
            seed = job["spec"]["seed"]
            if finished is None or seed < finished:
                level = LEVELS.get(job["label"], 100) + (2 * (seed % 3) if job["label"] != "raw pixels" else 0)
                answered(folder, job, np.arange(IMAGES) < level)
        elif job["stage"] == "pretrain":
            value = {"base[temperature=0.1]": 0.3, "base[temperature=0.5]": 0.2}.get(job["label"], 0.9)
            finish(folder, job, metrics={"final/collapse/spread": value + 0.01 * job["spec"]["seed"] ** 2})
    results = load_results(made, folder)
    return judged(results, comparisons(results))


def one(folder: Path, claim: str, **more: int) -> JudgedClaim:
    (found,) = judge_all(folder, f"  - {{text: It is so., {claim}}}", **more)
    return found


def test_the_difference_is_that_of_the_rows_in_points(tmp_path: Path) -> None:
    found = one(tmp_path, "first: new, second: {method: base, at: {temperature: 0.1}}, margin: 5")
    assert found.decision == "supported"
    assert found.verdict is not None
    assert found.verdict.difference.estimate.mean == pytest.approx(100 * (360 - 300) / IMAGES)
    assert found.verdict.difference.estimate.counts == "seeds and images"
    assert found.verdict.margin == pytest.approx(5)


def test_two_protocols_of_one_method_are_compared(tmp_path: Path) -> None:
    made = planned(
        tmp_path,
        STUDY.format(
            seeds=[0, 1],
            claims="  - {text: So., first: {method: new, metric: knn/top1}, second: {method: new, metric: few_shot}}",
        ),
    )
    for job in read_json(made)["jobs"]:
        if job["label"] == "new" and job["stage"] == "evaluate":
            name = "test/top1" if job["spec"]["evaluation"]["use"] == "knn" else "test/1_shot"
            finish(tmp_path, job, metrics={name: 0.75 if name == "test/top1" else 0.5})
    results = load_results(made, tmp_path)
    (found,) = judged(results, comparisons(results))
    assert found.verdict
    assert found.verdict.difference.estimate.mean == pytest.approx(25)


def test_several_grid_points_are_averaged_seed_by_seed(tmp_path: Path) -> None:
    found = one(tmp_path, "first: new, second: base")
    assert found.verdict
    assert found.verdict.difference.estimate.mean == pytest.approx(100 * (360 - 310) / IMAGES)


def test_the_same_numbers_contradict_the_opposite_claim_and_do_not_support_a_wider_one(tmp_path: Path) -> None:
    claims = """
  - {text: Worse., first: new, second: base, relation: less}
  - {text: By twenty points., first: new, second: base, margin: 12.5}
  - {text: Equal., first: new, second: base, relation: equivalent, margin: 1}
  - {text: No worse., first: new, second: base, relation: at_least, margin: 1}
"""
    decisions = [each.decision for each in judge_all(tmp_path, claims)]
    assert decisions == ["contradicted", "not settled", "contradicted", "supported"]


@pytest.mark.parametrize(
    ("sides", "margin", "decision", "outcome"),
    [
        ("first: new, second: base", 1, "contradicted", "ahead"),
        ("first: base, second: new", 1, "contradicted", "behind"),
        ("first: base, second: new", 40, "supported", "equal within 40 points"),
        ("first: base, second: new", 12.5, "not settled", "not settled"),
    ],
)
def test_of_two_sides_claimed_equal_the_words_say_which_is_ahead(
    tmp_path: Path, sides: str, margin: float, decision: str, outcome: str
) -> None:
    found = one(tmp_path, f"{sides}, relation: equivalent, margin: {margin}")
    assert (found.decision, found.outcome) == (decision, outcome)
    assert told([found])[0].outcome == outcome
    assert claims_table([found], "").rows[0][2].text == outcome
    (head,) = groups([found])
    assert head.texts[0].endswith(f" ({outcome})." if outcome != decision else f"{found.claim.text.rstrip('.')}.")
    other = one(tmp_path, f"{sides}, relation: at_least, margin: {margin}")
    assert other.outcome == other.decision


def test_floors_are_sides_too(tmp_path: Path) -> None:
    claims = """
  - {text: Above pixels., first: new, second: {floor: pixels}}
  - {text: Above its start., first: {method: base, at: {temperature: 0.5}}, second: {floor: untrained}}
"""
    pixels, untrained = judge_all(tmp_path, claims)
    assert pixels.verdict
    assert pixels.verdict.difference.estimate.mean == pytest.approx(100 * (362 - 200) / IMAGES)
    assert pixels.verdict.difference.estimate.n == 6
    assert untrained.verdict
    assert untrained.verdict.difference.estimate.mean == pytest.approx(100 * 220 / IMAGES)


def test_a_gain_over_a_gain(tmp_path: Path) -> None:
    gain = "{method: base, at: {temperature: 0.5}, over: {method: base, at: {temperature: 0.1}}}"
    found = one(tmp_path, f"first: {{method: new, over: {{method: base, at: {{temperature: 0.5}}}}}}, second: {gain}")
    assert found.verdict
    assert found.verdict.difference.estimate.mean == pytest.approx(100 * ((360 - 320) - (320 - 300)) / IMAGES)
    assert found.verdict.difference.estimate.counts == "seeds"


def test_a_number_of_the_training_has_its_own_unit(tmp_path: Path) -> None:
    found = one(tmp_path, "monitor: collapse/spread, first: new, second: base, margin: 0.1")
    assert found.unit == ""
    assert found.verdict
    assert found.verdict.difference.estimate.mean == pytest.approx(0.9 - 0.25)


def test_under_six_pairs_no_verdict_but_the_number_still_needed(tmp_path: Path) -> None:
    found = one(tmp_path, "first: new, second: base", seeds=6, finished=5)
    assert found.decision == "not enough runs"
    assert found.planned == 6
    assert found.verdict
    assert found.verdict.needed == 6
    assert found.verdict.missing == 1
    assert "5 of 6 pairs of seeds" in told([found])[0].numbers


def test_without_a_finished_seed_the_claim_still_stands_in_the_table(tmp_path: Path) -> None:
    found = one(tmp_path, "first: new, second: base", seeds=3, finished=0)
    assert found.verdict is None
    assert found.decision == "not enough runs"
    assert "no seed of both groups has finished yet (3 are planned)" in told([found])[0].numbers
    assert summary([found]) == "There are not enough runs for a verdict on the claim."
    assert claims_table([found], "").rows[0][3].text == "missing"
    assert claims_chart([found]) is None


def test_the_page_leads_with_the_verdicts(tmp_path: Path) -> None:
    claims = "  - {text: 'New <b>wins</b>.', source: 'Someone 2020, table 1', first: new, second: base}"
    found = judge_all(tmp_path, claims)
    assert summary(found) == "The claim is supported."
    page = build_report(load_results(tmp_path / "study" / "plan.json", tmp_path), tmp_path / "out", TEXTS).read_text()
    assert "New &lt;b&gt;wins&lt;/b&gt;." in page
    assert "Someone 2020, table 1" in page
    places = [
        page.index(words)
        for words in ("<h1>", 'class="verdicts"', "is the highest of", "More about the numbers", 'id="results"')
    ]
    assert places == sorted(places)
    assert (tmp_path / "out" / "tables" / "claims.csv").exists()
    (head,) = re.findall(r'<small><a class="behind" href="#(behind-\w+)">', page)
    anchors = dict(numbers_of(page))
    assert {anchor for number, anchor in anchors.items() if number.startswith("claims")} == {head}
    assert [number for number, anchor in anchors.items() if not anchor] == ["results: 10.0"]  # chance is worked out
    parts = page[page.index(f'id="{head}"') :].partition("<ul>")[2].partition("</ul>")[0]
    assert {*re.findall(r">digits · (\w+)", parts)} == {"new", "base"}


def test_the_chart_tells_every_claim_whole_in_lines_that_fit_a_phone(tmp_path: Path) -> None:
    text = "New is better than base, " * 6
    spec = claims_chart(judge_all(tmp_path, f"  - {{text: '{text}', first: new, second: base}}"))
    assert spec
    assert spec["width"] <= 400
    (words,) = (row["words"] for rows in spec["datasets"].values() for row in rows if "words" in row)
    assert " ".join(words.split()) == f"supported: {' '.join(text.split())} (digits)"
    assert len(words.split("\n")) > 1
    assert max(map(len, words.split("\n"))) <= LETTERS
    assert spec["height"] > LINE * len(words.split("\n"))


def test_every_verdict_has_a_colour_on_both_grounds() -> None:
    style = (TEXTS / "templates" / "report.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark")
    for ground in (light, dark):
        styled = {*re.findall(r"\.verdicts \.([a-z-]+)", ground)}
        assert styled == {decision.replace(" ", "-") for decision in get_args(Decision)}


@pytest.mark.parametrize("finished", [3, 6])
def test_the_page_names_its_verdicts_by_classes_that_the_style_knows(tmp_path: Path, finished: int) -> None:
    claims = "\n".join(
        f"  - {{text: It is so., first: new, second: base, relation: {relation}, margin: {margin}}}"
        for relation, margin in (("greater", 0), ("less", 0), ("greater", 12.5))
    )
    judge_all(tmp_path, claims, finished=finished)
    page = build_report(load_results(tmp_path / "study" / "plan.json", tmp_path), tmp_path / "out", TEXTS).read_text()
    style = page.partition("<style>")[2].partition("</style>")[0]
    emitted = {*re.findall(r'<li><strong class="([^"]*)">', page)}
    assert len(emitted) > (finished == 6)
    assert [name for name in emitted if f".verdicts .{name}" not in style] == []


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("first: nwe, second: base", "claims[0].first.method: the study has no method 'nwe'; did you mean 'new'?"),
        ("first: new, second: {method: base, at: {tau: 1}}", "claims[0].second.at.tau: base has no such grid axis"),
        ("first: new, second: {method: base, at: {temperature: 1}}", "the grid has no 1; there are: 0.1, 0.5"),
        ("first: new, second: new", "first and second are the same runs"),
        ("first: new, second: base, metric: linaer", "claims[0].first.metric: the study has no evaluation 'linaer'"),
        (
            "first: new, second: base, metric: few_shot/2_shot",
            "few_shot has no number '2_shot'; did you mean '1_shot'?",
        ),
        ("first: {method: new, metric: knn}, second: base, monitor: train/loss", "leave their metric out"),
        (
            "first: new, second: base, monitor: scores/negative_varience",
            "claims[0].monitor: training records no 'scores/negative_varience'; did you mean 'scores/negative_variance'?",
        ),
        ("first: new, second: base, monitor: score/negative_mean", "did you mean 'scores/negative_mean'?"),
        ("first: {method: new, tuned: true}, second: base", "claims[0].first.tuned: new is not tuned"),
        ("first: new, second: base, dataset: cifar10", "claims[0].dataset: the study has no data set 'cifar10'"),
        ("first: new, second: base, relation: equivalent", "equivalent needs a margin above 0"),
        ("first: new, second: {floor: pixels}, monitor: collapse/spread", "a floor was not trained"),
        ("first: {floor: pixels, method: new}, second: base", "give either method"),
    ],
)
def test_a_claim_about_what_is_not_there_is_refused_before_anything_runs(
    tmp_path: Path, claim: str, message: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(seeds=[0], claims=f"  - {{text: It is so., {claim}}}"))
    with pytest.raises(InputError) as error:
        plan(load_study(file))
    assert message in str(error.value)


def test_power_says_seeds_and_cost_from_the_spread_that_was_measured(tmp_path: Path) -> None:
    found = judge_all(tmp_path, "  - {text: Small., first: new, second: {method: base, at: {temperature: 0.5}}}")
    results = load_results(tmp_path / "study" / "plan.json", tmp_path)
    assert cost_of_a_pair(results, found[0].claim) == PairCost(
        4.0, True
    )  # one pretraining and one evaluation a side, 1 s each
    sd = found[0].verdict.difference.estimate.sd if found[0].verdict else None
    assert sd == pytest.approx(0)
    first, line = power_lines(results, found, 1.0)
    assert first == "Small. (digits; 6 seeds are planned)"
    assert "spread 0 points (measured over 6 pairs): 1 points need 6 seeds, 24.0 s" in line


def test_power_before_anything_ran_assumes_spreads_and_says_so(tmp_path: Path) -> None:
    found = judge_all(tmp_path, "  - {text: Small., first: new, second: base}", seeds=4, finished=0)
    results = load_results(tmp_path / "study" / "plan.json", tmp_path)
    _, *lines = power_lines(results, found, 1.0)
    assert [line.split()[1] for line in lines] == [f"{sd:g}" for sd in ASSUMED]
    assert all("assumed: nothing measured yet" in line and "too few for any verdict" in line for line in lines)
    needed = [int(line.split(" need ")[1].split()[0]) for line in lines]
    assert needed == [seeds_needed(1.0, sd) for sd in ASSUMED]


def test_a_difference_of_nothing_and_one_that_nobody_asks_about_are_refused(tmp_path: Path) -> None:
    for difference in (0.0, float("nan")):
        with pytest.raises(InputError, match=r"--difference (0|nan): must be above 0"):
            plan_stage.run([], tmp_path, power=True, difference=difference)
    with pytest.raises(InputError, match="--difference 2: is what --power is asked for; add --power"):
        plan_stage.run([], tmp_path, difference=2.0)


def test_plan_says_power_alone_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "study.yaml"
    claim = "  - {text: Small., first: new, second: base}"
    file.write_text(STUDY.format(seeds=[0, 1], claims=claim))
    assert main(["plan", "--power", str(file), "--results", str(tmp_path), "--difference", "2.5"]) == 0
    first, told, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"# {file}: ")
    assert told == "Small. (digits; 2 seeds are planned)"
    assert len(lines) == len(ASSUMED)
    assert all(": 2.5 points " in line for line in lines)


def test_the_numbers_of_a_protocol_stand_in_the_order_of_the_study(tmp_path: Path) -> None:
    text = STUDY.format(seeds=[0], claims="  []").replace("ways: 2, shots: [1]", "shots: [1, 16, 4]")
    made = planned(tmp_path, text)
    for job in read_json(made)["jobs"]:
        if job["stage"] == "evaluate" and job["spec"]["evaluation"]["use"] == "few_shot":
            finish(tmp_path, job, metrics={f"test/{shots}_shot": 0.5 for shots in (16, 1, 4)})
    (comparison,) = comparisons(load_results(made, tmp_path))
    numbers = [str(column.metric) for column in comparison.columns if column.evaluation.use == "few_shot"]
    assert numbers == ["test/1_shot", "test/16_shot", "test/4_shot"]
