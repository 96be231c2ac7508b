"""The page in a real browser: no error, tables that sort and filter, contrast, width, paper, and without scripts."""

import re
from pathlib import Path
from typing import Any

import pytest
from browser_tools import CHROMIUM, chromium, look
from PIL import Image
from report_tools import full_study

from pipelines.stages import report

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH"),
    pytest.mark.xdist_group("browser"),
]
FRAME = "border: 0; width: 1400px; height: 9000px"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("results")
    report.run(full_study(folder), folder, folder / "out", ROOT / "reports")
    return (folder / "out" / "report.html").read_text()


@pytest.fixture(scope="module")
def wide(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("wide"), page, 1400)


def test_no_error_and_every_chart_is_drawn(page: str, wide: dict[str, Any]) -> None:
    assert wide["errors"] == []
    assert wide["drawn"] == page.count('class="chart"') > 5
    assert all(wide["svg"])
    assert wide["wide"] == wide["cut"]
    assert wide["lists"] == ["jobs", "numbers"]


def test_a_table_sorts_up_and_down_and_goes_back(wide: dict[str, Any]) -> None:
    def numbers(cells: list[str]) -> list[float]:
        return [float(found[0]) if (found := re.match(r"[\d.]+", cell)) else -1.0 for cell in cells]

    assert numbers(wide["up"]) == sorted(numbers(wide["before"])) != numbers(wide["before"])
    assert numbers(wide["down"]) == sorted(numbers(wide["before"]), reverse=True)
    assert wide["again"] == wide["before"]


def test_a_table_shows_the_rows_that_hold_what_is_typed(wide: dict[str, Any]) -> None:
    assert wide["filtered"]
    assert all("moco_v2_ft" in name for name in wide["filtered"])


def test_the_keyboard_reaches_titles_and_legend(wide: dict[str, Any]) -> None:
    assert wide["focused"]
    assert wide["pressed"] == [True, "true"]


def test_two_methods_can_stand_in_front_together(wide: dict[str, Any]) -> None:
    assert wide["both"] == ["true", "true"]
    front, back = wide["shown"]
    assert front > 1
    assert back > 0


def test_a_number_opens_what_it_is_made_of(wide: dict[str, Any]) -> None:
    is_open, is_seen, seeds = wide["behind"]
    assert is_open
    assert is_seen
    assert seeds > 0


def test_evidence_is_folded_until_a_link_the_keyboard_or_paper_opens_it(page: str, wide: dict[str, Any]) -> None:
    assert page.count('<details class="evidence" open>') == len(wide["folded"]) > 3  # open for who runs no scripts
    assert not any(wide["folded"])
    assert wide["revealed"] == ["training"]
    assert wide["reached"]
    assert wide["printed"]
    assert wide["after"] == ["training"]


def test_text_can_be_read_and_pictures_have_words(wide: dict[str, Any]) -> None:
    assert wide["texts"] > 100
    assert not wide["faint"]
    assert not wide["nameless"]


def test_a_phone_shows_the_page_in_its_width(page: str, tmp_path: Path) -> None:
    found = look(tmp_path, page, 390)
    scroll, client = found["width"]
    assert scroll <= client == 390
    assert max(found["svg"]) <= 390
    assert any(table.startswith("DIV scroll") for table in found["wide"])  # a hint that there are more columns


def test_in_the_dark_the_page_is_dark_and_can_be_read(page: str, wide: dict[str, Any], tmp_path: Path) -> None:
    found = look(tmp_path, page, 1400, "--force-dark-mode")
    assert found["background"] == "rgb(23, 24, 26)" != wide["background"]
    assert not found["faint"]
    assert found["marks"] == wide["marks"]
    assert not found["dim"]


def test_marks_stand_out_from_their_ground(wide: dict[str, Any]) -> None:
    assert wide["marks"] > 200
    assert wide["swatches"] > 5
    assert not wide["dim"]


def test_on_paper_no_column_is_cut(page: str, tmp_path: Path) -> None:
    """The rules for print, on a sheet of A4 (landscape, 273 mm between the margins: 1031 px)."""
    found = look(tmp_path, page.replace("@media print", "@media all"), 1031)
    assert not found["cut"]
    assert found["lists"] == ["paper"]  # lists for machines stay on the screen, and a sentence says so


def test_a_page_of_few_rows_fills_few_sheets(page: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page)
    chromium(tmp_path, f"--print-to-pdf={tmp_path}/page.pdf", f"file://{tmp_path}/page.html")
    sheets = re.findall(rb"/Type\s*/Page\b(?!s)", (tmp_path / "page.pdf").read_bytes())
    assert 5 < len(sheets) < 20


def test_without_scripts_a_still_picture_stands_for_the_charts(page: str, tmp_path: Path) -> None:
    """There are more points in colour than tables and links make."""
    plain = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.S)
    assert coloured(page, tmp_path) > 1.2 * coloured(plain, tmp_path) > 0


def coloured(page: str, folder: Path) -> int:
    """How many points are no grey where a browser runs no scripts, as in a frame without leave to run any."""
    (folder / "page.html").write_text(page)
    shot, frame = folder / "page.png", f'<iframe sandbox="allow-same-origin" src="page.html" style="{FRAME}">'
    (folder / "outer.html").write_text(f'<body style="margin: 0">{frame}')
    chromium(folder, "--window-size=1400,9000", f"--screenshot={shot}", f"file://{folder}/outer.html")
    found = Image.open(shot).convert("RGB").getcolors(2**24) or []
    return sum(count for count, colour in found if max(colour) - min(colour) > 60)
