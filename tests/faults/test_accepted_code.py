"""A report says which results other code made, until somebody accepts that."""

import pytest
from damage_tools import Finished, without_charts

from pipelines.cli import main
from pipelines.files import sealed, write_json
from pipelines.records import read_record
from pipelines.spec.layout import written_plan

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("damaged")]
CHANGED = "was made by code that has changed since"
ACCEPTED = "Records of earlier code that somebody accepted as they stand: 1."


def reported(study: Finished) -> str:
    """The table of results, written by the stage, and the declared one, each as Markdown."""
    plan = written_plan(study.results, "tiny")
    with without_charts():
        assert main(["report", "--plan", str(plan), "--results", str(study.results), "--out", str(plan.parent)]) == 0
    assert main(["tables", str(study.file), "--results", str(study.results)]) == 0
    return "".join((plan.parent / "tables" / f"{name}.md").read_text() for name in ("results", "declared"))


def test_the_report_and_the_tables_tell_what_other_code_made_until_it_is_accepted(finished, tmp_path):
    study = finished.copy(tmp_path)
    assert CHANGED not in reported(study)
    assert "mixes codes" not in reported(study)
    folder = study.plan.of("pretrain")[0].folder(study.results)
    record = read_record(folder)
    other = record.model_copy(update={"code": dict.fromkeys(record.code, "0" * 16), "code_digest": "0" * 16})
    write_json(folder / "record.json", sealed(other.model_dump(mode="json")))
    assert reported(study).count(CHANGED) == 2
    assert main(["accept", str(study.file), "--reason", "only names", "--results", str(study.results)]) == 0
    told = reported(study)
    assert CHANGED not in told
    assert "mixes codes" not in told
    assert told.count(ACCEPTED) == 2
