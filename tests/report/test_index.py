"""A study in brief, and the page over all studies."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from browser_tools import CHROMIUM, chromium
from report_tools import finish, planned

from pipelines.files import read_json
from pipelines.report.brief import Brief
from pipelines.spec.layout import BRIEF
from pipelines.stages import report

TEXTS = Path(__file__).parents[2] / "reports"
STUDY = """
name: {name}
question: Is <b>{name}</b> better?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: moco, queue_size: 64, label: moco}}]
training: {{epochs: 2, batch_size: 32}}
seeds: {seeds}
evaluation: [{{use: knn}}]
claims: [{{text: Better than pixels., first: moco, second: {{floor: pixels}}}}]
"""


def reported(results: Path, name: str, finished: bool) -> Path:
    """A study whose evaluations have finished or not, and its page; the study's folder."""
    (results / "in").mkdir(exist_ok=True, parents=True)
    made = planned(results / "in", STUDY.format(name=name, seeds=[0, 1] if finished else [2, 3]))
    plan = results / name / "plan.json"
    plan.parent.mkdir()
    made.rename(plan)
    for job in read_json(plan)["jobs"]:
        if finished or job["stage"] == "pretrain":
            finish(results, job, metrics={"test/top1": 0.75}, seconds=2.0)
    report.run(plan, results, plan.parent, TEXTS)
    return plan.parent


def test_the_brief_says_what_the_page_says(tmp_path):
    folder = reported(tmp_path, "done", finished=True)
    brief = Brief.model_validate_json((folder / BRIEF).read_text())
    jobs = read_json(folder / "plan.json")["jobs"]
    assert (brief.done, brief.planned, brief.seconds) == (len(jobs), len(jobs), 2.0 * len(jobs))
    assert (brief.methods, brief.datasets, brief.verdicts) == (("moco",), ("digits",), {"not enough runs": 1})
    page = (folder / "report.html").read_text()
    assert brief.answers[0] == "There are not enough runs for a verdict on the claim."
    assert brief.answers[0] in page
    assert brief.answers[1] == "On digits, moco is the only method by kNN: 75.0 %."
    assert (
        "On digits, moco is the only method by kNN: 75.0 % [75.0, 75.0] (an interval over seeds alone) over 2 seeds."
        in page
    )
    assert brief.text.splitlines() == [brief.question, *brief.answers]
    assert len(brief.answers) <= 3


def test_the_index_lists_every_study_with_a_page(tmp_path):
    reported(tmp_path, "done", finished=True)
    half = reported(tmp_path, "half", finished=False)
    page = (tmp_path / "index.html").read_text()
    assert 'href="done/report.html"' in page
    assert 'href="half/report.html"' in page
    assert "Is &lt;b&gt;done&lt;/b&gt; better?" in page
    assert "missing</small>" in page
    (half / BRIEF).write_text('{"study":')
    report.run(tmp_path / "done" / "plan.json", tmp_path, tmp_path / "done", TEXTS)
    assert 'href="half' not in (tmp_path / "index.html").read_text()


PRESS = """<pre id="found"></pre><script>
const rows_ = [...document.querySelectorAll("tr[data-words] a")];
const seen = () => rows_.filter((name) => !name.closest("tr").hidden).map((name) => name.textContent);
const found = {all: seen()};
const choose = (name, field, value) => {
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  found[name] = seen();
  document.getElementById("clear").click();
};
choose("missing", document.querySelector('[data-of="state"]'), "some missing");
choose("digits", document.querySelector('[data-of="datasets"]'), "digits");
choose("verdict", document.querySelector('[data-of="verdicts"]'), "not enough runs");
choose("words", document.getElementById("words"), "HALF better");
choose("past", document.getElementById("since"), "2026-01-31");
choose("future", document.getElementById("since"), "2026-02-01");
found.cleared = seen();
document.getElementById("found").textContent = JSON.stringify(found);
</script></body>"""


@pytest.mark.slow
@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")
def test_the_index_shows_the_studies_of_a_state_a_data_set_a_verdict_or_a_date(tmp_path):
    for name, finished in (("done", True), ("half", False)):
        reported(tmp_path, name, finished)
    page = (tmp_path / "index.html").read_text()
    assert "<option>digits</option>" in page
    (tmp_path / "pressed.html").write_text(page.replace("</body>", PRESS))
    printed = chromium(tmp_path, "--dump-dom", f"file://{tmp_path}/pressed.html")
    found = re.search(r'<pre id="found">(.*?)</pre>', printed, re.S)
    assert found
    assert json.loads(unescape(found[1])) == {
        "all": ["done", "half"],
        "missing": ["half"],
        "digits": ["done", "half"],
        "verdict": ["done", "half"],
        "words": ["half"],
        "past": ["done", "half"],
        "future": [],
        "cleared": ["done", "half"],
    }
