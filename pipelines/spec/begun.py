"""Which declared tables have something to show, so that a paper leaves out those that nothing was run for."""

from pathlib import Path

from pipelines.spec.jobs import EvaluateSpec, PretrainSpec
from pipelines.spec.layout import record_file, written_plan
from pipelines.spec.plan import Plan
from pipelines.spec.tables import PlannedTable

FLOORS = ("pixels", "untrained")
"""Encoders that many studies share, so that their records say nothing of one study."""


def begun(made: Plan, results: Path) -> tuple[PlannedTable, ...]:
    """The tables of a study with a row of a method that has a record of training or evaluation.

    None where no run of the study was ever begun: methods, too, are shared with studies that were.
    """
    if not written_plan(results, made.study.name).exists():
        return ()
    shown = {row.label for table in made.tables for row in table.rows}
    labels = {label for label in shown if _has_record(made, label, results)}
    return tuple(table for table in made.tables if any(row.label in labels for row in table.rows))


def _has_record(made: Plan, label: str, results: Path) -> bool:
    jobs = [made.jobs[place] for place, name in made.names.items() if name.label == label and place in made.jobs]
    return any(
        record_file(results, job.stage, job.key).exists()
        for job in jobs
        if isinstance(job.spec, PretrainSpec)
        or (isinstance(job.spec, EvaluateSpec) and job.spec.source.use not in FLOORS)
    )
