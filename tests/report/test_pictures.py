"""Pictures on the page: of one seed a method, with words for those who do not see them, and never the end of a report."""

import re
from pathlib import Path

import pytest
from markupsafe import escape
from report_tools import FakeStudy

from pipelines.contact_sheet import Sheet
from pipelines.files import canonical, sealed
from pipelines.report.material import Material
from pipelines.report.sections.pictures import A_RUN, BUDGET, SCRIPT, pictures_section, room_for
from pipelines.report.study import load_results
from pipelines.stages import report

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "reports"
DIGITS = {"use": "digits"}


def leave(folder: Path, name: str, picture: bytes, rows: int = 2) -> None:
    """A sheet as a job leaves it; no reader looks into the picture's bytes."""
    sheet = Sheet(alt=f"{name} of <things>", cell=40, columns=("image", "1"), tips=(("a & b", "c"),) * rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jpg").write_bytes(picture)
    sheet.save(folder / f"{name}.json")


def looked(
    fake: FakeStudy, label: str, seed: int, dataset: str = "digits", picture: bytes = b"", length: int = 1, **sizes: int
) -> None:
    """A kNN evaluation with all its pictures."""
    key = f"{label}-{dataset}-s{seed}"
    folder, names = fake.folder("evaluate", key), ("neighbours", "confusions", "map")
    for name in names:
        leave(folder, name, picture or f"{name} {label} {dataset} {seed}".encode() * length, **sizes)
    points = {"classes": ["<zero>", "one"], "points": [[0.5, 0.25, 0], [1, 0, 1]]}
    (folder / "map_points.json").write_text(canonical(sealed(points)))
    artifacts = {name: f"{name}.jpg" for name in names} | {f"{name}_about": f"{name}.json" for name in names}
    spec = {"evaluation": {"use": "knn"}, "source": {"use": "pixels"}, "dataset": {"use": dataset}, "seed": seed}
    done = {"metrics": {"test/top1": 0.5}, "artifacts": artifacts | {"map_points": "map_points.json"}}
    fake.job("evaluate", key, label, spec, **done)


def plain(fake: FakeStudy, label: str, seed: int, **asked: bool) -> None:
    """A kNN evaluation without pictures."""
    spec = {"evaluation": {"use": "knn"}, "source": {"use": "pixels"}, "dataset": DIGITS, "seed": seed}
    fake.job("evaluate", f"{label}-digits-s{seed}", label, spec | asked, metrics={"test/top1": 0.5})


def section(fake: FakeStudy, room: int = BUDGET):
    return pictures_section(Material(load_results(fake.save(), fake.results), TEXTS, fake.results), room)


def test_one_seed_of_each_method_is_shown_the_lowest_that_has_finished(tmp_path):
    fake = FakeStudy(tmp_path)
    for label in ("one", "other"):
        for seed in (2, 1):
            looked(fake, label, seed)
    groups = {group.title: [panel.title for panel in group.panels] for group in section(fake).groups}
    assert groups["Nearest neighbours"] == ["digits · one", "digits · other"]
    assert len(groups["Worst confusions"]) == 2
    assert len(groups["Maps of the test images"]) == 3  # the images themselves stand once


def test_a_seed_whose_evaluation_left_no_pictures_is_passed_over(tmp_path):
    fake = FakeStudy(tmp_path)
    looked(fake, "one", 2)
    plain(fake, "one", 1)
    found = section(fake)
    assert [panel.title for panel in found.groups[0].panels] == ["digits · one"]
    assert len(found.caption) == 1  # and nothing is amiss


def test_pictures_that_another_study_did_not_ask_for_are_told_with_the_way_to_them(tmp_path):
    fake = FakeStudy(tmp_path)
    plain(fake, "one", 1, pictures=True)
    found = section(fake)
    assert not found.groups
    assert "one-digits-s1" in found.caption[-1]
    assert "delete their folders" in found.caption[-1]


def test_every_picture_has_words_and_text_is_escaped(tmp_path):
    fake = FakeStudy(tmp_path)
    looked(fake, "one", 0)
    for group in section(fake).groups:
        for panel in group.panels:
            assert re.search(r'(aria-label|alt)="[^"]+"', panel.markup)
            assert "<things>" not in panel.markup
            assert "<zero>" not in panel.markup
            assert "a & b" not in panel.markup


def test_nothing_of_them_needs_a_script(tmp_path):
    fake = FakeStudy(tmp_path)
    looked(fake, "one", 0)
    report.run(fake.save(), tmp_path, tmp_path / "out", TEXTS)
    page = re.sub(r"<script.*?</script>", "", (tmp_path / "out" / "report.html").read_text(), flags=re.S)
    assert page.count("<image href=") == 2
    assert page.count('<circle cx="') == 2 + 2  # points and legend
    assert f"<title>{escape('<zero>')}</title>" in page


@pytest.mark.parametrize("file", ["neighbours.jpg", "neighbours.json", "map_points.json", "map.json"])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_damaged_or_missing_file_leaves_out_its_picture_alone(tmp_path, file, harm):
    fake = FakeStudy(tmp_path)
    looked(fake, "one", 0)
    path = fake.folder("evaluate", "one-digits-s0") / file
    if harm == "gone":
        path.unlink()
    elif path.suffix == ".json":
        path.write_text(path.read_text()[:-9])
    else:
        return  # records of these tests name no digests: bytes of a picture are compared by checked_file
    found = section(fake)
    assert f"one-digits-s0: {path.stem.partition('_')[0]}" in " ".join(found.caption)
    assert [group.title for group in found.groups] == [
        title
        for title in ("Nearest neighbours", "Maps of the test images", "Worst confusions")
        if path.stem.partition("_")[0] not in title.lower()
    ]


def test_a_full_study_stays_within_its_room_and_says_what_is_left_out(tmp_path):
    """Twenty methods on three data sets; of more seeds no more is shown. Every picture is larger than any that was measured."""
    fake = FakeStudy(tmp_path)
    for dataset in ("digits", "fashion_mnist", "cifar10"):
        for number in range(20):
            looked(fake, f"method {number}", 0, dataset, length=2_000, rows=8)
    found = section(fake)
    assert sum(len(panel.markup) for group in found.groups for panel in group.panels) < 7_500_000
    assert any("would make this page too large" in words for words in found.caption)


def test_equal_pictures_stand_once(tmp_path):
    fake = FakeStudy(tmp_path)
    for label in ("one", "other"):
        looked(fake, label, 0, picture=b"the same")
    panels = {group.title: group.panels for group in section(fake).groups}["Nearest neighbours"]
    assert [panel.title for panel in panels] == ["digits · one, and of digits · other"]


@pytest.mark.parametrize(("runs", "most"), [(1, 6_000_000), (360, 3_000_000), (5000, 0)])
def test_pictures_leave_the_page_under_ten_megabytes(runs: int, most: int) -> None:
    room = room_for(runs)
    assert 0 <= room <= most
    assert room == 0 or room + runs * A_RUN + SCRIPT < 10_000_000
