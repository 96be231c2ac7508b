"""The page and everything written beside it."""

import base64
import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import altair
import pytest
from PIL import Image
from report_tools import FakeStudy, full_study, numbers_of

from pipelines.artifacts import fact_of
from pipelines.report.page import address, packed
from pipelines.spec.tables import REPORTED
from pipelines.stages import report

ROOT = Path(__file__).parents[2]


def built(folder: Path, plan: Path, out: str = "out") -> Path:
    report.run(plan, folder, folder / out, ROOT / "reports")
    return folder / out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(results folder, report folder) of the whole made-up study."""
    folder = tmp_path_factory.mktemp("results")
    return folder, built(folder, full_study(folder))


def test_no_declared_table_may_take_the_name_of_one_of_the_reports(made: tuple[Path, Path]) -> None:
    assert {path.stem for path in (made[1] / "tables").iterdir()} <= REPORTED


class Addresses(HTMLParser):
    """Every address that a browser would load while showing the page, and the text of style elements."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.styles: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        names = (
            ("src", "srcset", "data", "poster", "action", "style")
            if tag == "a"
            else ("src", "srcset", "href", "data", "poster", "style")
        )
        self.loaded += [value or "" for name, value in attrs if name in names]

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.styles.append(data)


def test_nothing_is_loaded_from_outside(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    page = Addresses()
    page.feed(text)
    assert page.styles
    own = ("data:image/png;base64,", "data:image/svg+xml;base64,")
    for loaded in [*page.styles, *(each for each in page.loaded if not each.startswith(own))]:
        assert not re.search(r"https?:|//[a-z]|url\((?!data:)|@import", loaded), loaded
    assert "default-src 'none'" in text
    assert "connect-src" not in text  # falls back to default-src: no request at all
    specs = re.search(r'<script type="application/json" id="specs">(.*?)</script>', text, re.S)
    assert specs
    assert '"url"' not in specs.group(1)


def test_the_page_shows_the_numbers_flags_and_missing_cells(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    with (made[1] / "tables" / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    for row in rows:
        if row["mean_percent"] and row["sd_points"]:
            assert f"{float(row['mean_percent']):.1f} ± {float(row['sd_points']):.1f}" in text
    assert "missing (0 of 3)" in text
    assert "(2 of 3)" in text
    assert "collapsed 1 of 3" in text
    assert "<li>pretrain moco_v1 on fashion_mnist: collapsed in 1 of 3 (seeds 1)</li>" in text


def test_published_figures_of_other_images_or_networks_have_a_table_of_their_own(made: tuple[Path, Path]) -> None:
    with (made[1] / "tables" / "results.csv").open(encoding="utf-8") as file:
        assert not any(row["published_percent"] for row in csv.DictReader(file))  # nobody published this network
    with (made[1] / "tables" / "published.csv").open(encoding="utf-8") as file:
        rows = {(row["method"], row["protocol"]): row for row in csv.DictReader(file)}
    transformed = rows["MoCo v2+FT", "linear"]
    assert transformed["published (%)"] == "69.6"
    assert [transformed[name] for name in ("data set", "network", "epochs")] == ["ImageNet-1k", "ResNet-50", "200"]
    assert rows["MoCo v2", "linear"]["source"].startswith("MoCo v2 paper, Tables 1 and 2")
    assert "published linear" not in (made[1] / "report.html").read_text(encoding="utf-8")


def test_a_published_figure_of_the_same_images_and_network_stands_beside(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    encoder = {"use": "resnet", "depth": 18, "stem": "small"}
    fake.run("moco_v2", 0, {"use": "cifar10"}, {"linear": {"test/top1": 0.9}}, encoder=encoder)
    out = built(tmp_path, fake.save())
    with (out / "tables" / "results.csv").open(encoding="utf-8") as file:
        rows = {row["protocol"]: row for row in csv.DictReader(file)}
    assert rows["linear probe"]["published_on"].startswith("CIFAR-10, ResNet-18, ")
    assert not (out / "tables" / "published.csv").exists()  # nothing is left for a table of its own


def test_same_bytes_twice(made: tuple[Path, Path]) -> None:
    folder, first = made
    second = built(folder, folder / "fake" / "plan.json", "again")
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert Path("figures/training.svg") in names
    assert Path("figures/tuning.pdf") in names
    for name in names:
        if name.suffix != ".pdf":
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_every_number_in_a_table_opens_what_it_is_made_of(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    found = numbers_of(text)
    assert len(found) > 100
    assert [number for number, anchor in found if not anchor] == []
    records = [made[1] / address for address in re.findall(r'href="([^"#]+/record.json)"', text)]
    assert records
    assert all(record.is_file() for record in records)


def test_the_page_is_small_with_sixty_runs(made: tuple[Path, Path]) -> None:
    """18 runs are in it; what grows with runs, times 60 / 18, beside the fixed script."""
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    bundle = max(re.findall(r'<script type="module">(.*?)</script>', text, re.S), key=len)
    assert len(bundle) + (len(text) - len(bundle)) * 60 / 18 < 5_000_000


def test_every_chart_is_a_valid_spec_with_its_rows(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', text, re.S).group(1))  # type: ignore[union-attr]
    assert len(specs) == text.count('<div class="chart"')
    assert len(specs) == 2 + 1 + 2 + 3 + 2 + 2 + 7  # results, cost, training, scores, densities, collapse, tuning
    for spec in specs:
        datasets = {}
        for name, data in spec["datasets"].items():
            assert data["rows"]
            levels = [data["levels"].get(column) for column in data["columns"]]
            datasets[name] = [
                {
                    column: level[value] if level else value
                    for column, level, value in zip(data["columns"], levels, row, strict=True)
                }
                for row in data["rows"]
            ]
        altair.Chart.from_dict(spec | {"datasets": datasets})  # raises for a spec outside the schema


def test_packing_keeps_the_rows() -> None:
    rows = [{"label": "a", "x": 1.5}, {"label": "b", "x": 2}, {"label": "a", "x": 3}]
    data = packed({"datasets": {"d": rows}, "encoding": {"color": {"legend": {"title": None}}}})
    assert data["datasets"]["d"] == {
        "columns": ["label", "x"],
        "levels": {"label": ["a", "b"]},
        "rows": [[0, 1.5], [1, 2], [0, 3]],
    }
    assert data["encoding"]["color"]["legend"] is None


def test_text_of_a_study_is_escaped(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    label = "</script><script>alert(1)</script>"
    fake.evaluate("raw pixels", "pixels", 0, {"use": "digits"}, {"knn": {"test/top1": 0.5}})
    fake.jobs[-1]["label"] = fake.jobs[-2]["label"] = label
    out = built(tmp_path, fake.save("Is <b>this</b> & that escaped?"))
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "Is &lt;b&gt;this&lt;/b&gt; &amp; that escaped?" in text
    assert "<script>alert" not in text


def test_the_answer_stands_before_the_machine(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    places = [text.index(words) for words in ("<h1>", 'class="answer"', "Flagged runs", "<dt>commit</dt>")]
    assert places == sorted(places)


def test_parts_stand_in_the_order_in_which_they_are_asked_for(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<div class="part" id="([^"]+)">', text) == [
        "leaderboard",
        "evidence",
        "elsewhere",
        "provenance",
    ]
    found = re.findall(r'<section id="([^"]+)">', text)
    assert found.index("training") < found.index("published") < found.index("settings") < found.index("jobs")
    assert found[0].startswith("results")
    names = re.findall(r' id="([^"]+)"', text)
    assert len(names) == len(set(names))  # a link leads to one place


def test_training_has_a_panel_a_method_over_one_scale(made: tuple[Path, Path]) -> None:
    text = (made[1] / "report.html").read_text(encoding="utf-8")
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', text, re.S).group(1))  # type: ignore[union-attr]
    faceted = [spec for spec in specs if "facet" in spec]
    assert len(faceted) == 2 + 2  # training, collapse
    for spec in faceted:
        (data,) = spec["datasets"].values()
        assert spec["facet"]["sort"] == data["levels"]["label"]
        assert "resolve" not in spec  # scales are shared unless it says otherwise


def test_a_still_of_many_marks_is_pixels(tmp_path: Path) -> None:
    head, mark = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">', '<rect width="9" height="9"/>'
    few, many = (f"{head}{mark * count}</svg>" for count in (9, 20_000))
    (tmp_path / "a.svg").write_text(few)
    (tmp_path / "b.svg").write_text(many)
    assert address(tmp_path / "a.svg").startswith("data:image/svg+xml;base64,")
    assert address(tmp_path / "b.svg").startswith("data:image/png;base64,")
    assert len(address(tmp_path / "b.svg")) < len(many) / 10


def test_few_colours_keep_that_of_one_small_mark(tmp_path: Path) -> None:
    blues = "".join(
        f'<rect x="{i % 90}" y="{i // 90}" width="1" height="1" fill="rgb(0,0,{i % 256})"/>' for i in range(8100)
    )
    orange = '<rect x="40" y="40" width="4" height="4" fill="rgb(240,120,0)"/>'
    svg = tmp_path / "a.svg"
    svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">{blues}{orange}</svg>')
    pixels = base64.b64decode(address(svg).removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(pixels)) as still:
        seen = still.convert("RGB").getpixel((41, 41))
    assert max(abs(one - other) for one, other in zip(seen, (240, 120, 0), strict=True)) < 24


def test_a_study_of_which_nothing_has_run_still_has_a_report(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("pretrain", "p", "simclr", {})
    fake.job("evaluate", "k", "simclr", {}, {"weights": "p"})
    text = (built(tmp_path, fake.save()) / "report.html").read_text(encoding="utf-8")
    assert "0 of 2 finished" in text
    assert "missing (0 of 1)" in text


def test_small_pictures_of_a_job_are_inlined_and_large_ones_are_not(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job(
        "pretrain",
        "mae",
        "mae",
        {},
        artifacts={"small": "a.png", "large": "b.png"},
    )
    (fake.folder("pretrain", "mae") / "a.png").write_bytes(b"\x89PNG small")
    (fake.folder("pretrain", "mae") / "b.png").write_bytes(b"\x89PNG" + bytes(500_000))
    text = (built(tmp_path, fake.save()) / "report.html").read_text(encoding="utf-8")
    assert text.count('src="data:image/png;base64,') == 1
    assert 'alt="mae: small"' in text


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
def test_a_damaged_picture_is_told_in_its_place_and_the_report_is_written(tmp_path: Path, harm: str) -> None:
    fake = FakeStudy(tmp_path)
    folder = fake.folder("pretrain", "mae")
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"\x89PNG whole")
    names = {"whole": "a.png", "harmed": "b.png"}
    facts = {name: fact_of(folder / path).model_dump() for name, path in names.items()}
    fake.job("pretrain", "mae", "mae", {}, artifacts=names, files=facts, code={})
    if harm == "gone":
        (folder / "b.png").unlink()
    else:
        (folder / "b.png").write_bytes(b"\x89PNG Whole" if harm == "changed" else b"\x89PNG")
    text = (built(tmp_path, fake.save()) / "report.html").read_text(encoding="utf-8")
    assert text.count('src="data:image/png;base64,') == 1
    assert text.count("Left out because their files are missing or damaged (1): mae: harmed.") == 1


@pytest.mark.parametrize("stage", ["collect", "report"])
def test_help_imports_nothing_heavy(stage: str) -> None:
    code = (
        "import sys, runpy; sys.argv = ['pipelines', sys.argv[1], '--help']\n"
        "try: runpy.run_module('pipelines', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'pandas', 'altair', 'torch', 'jinja2', 'optuna', 'yaml'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code, stage], cwd=ROOT, check=True, capture_output=True, timeout=60)
