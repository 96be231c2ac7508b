"""Stage check-reproduction: row by row, whether a study reproduces the published figures that it names."""

from collections import Counter
from pathlib import Path

from pipelines.errors import InputError
from pipelines.report.comparison import comparisons
from pipelines.report.mixed import standings
from pipelines.report.published import as_printed
from pipelines.report.reproduction import Reproduced, counted, reproduced
from pipelines.report.study import results_of
from pipelines.spec.plan import plan_file
from pipelines.spec.titles import number_title

NOT_REPRODUCED, OPEN = 3, 4
"""Exit codes: a figure at least is not reproduced; none is that, and one at least is not settled or not run."""


def run(studies: list[Path], results: Path) -> int:
    """Print a verdict for every figure; 0 when all are reproduced. InputError for a study that names none."""
    found: list[Reproduced] = []
    for path in studies:
        made = plan_file(path)
        if not made.reproductions:
            raise InputError(f"{path}: names no published figure; add a list under reproduces (docs/reproduction.md)")
        known = results_of(made.dump(), results, f"the plan of {path}")
        here = reproduced(known, comparisons(known, standings(known)))
        print(f"# {path}: {made.study.question}")
        for each in here:
            _print(each)
        print(f"{made.study.name}: {len(here)} published figures: {counted(here)}")
        found += here
    verdicts = {each.verdict for each in found}
    return NOT_REPRODUCED if "not reproduced" in verdicts else 0 if verdicts == {"reproduced"} else OPEN


def _print(each: Reproduced) -> None:
    plan, cell, figure = each.plan, each.cell, each.plan.figure
    print(f"{each.verdict}: {plan.label}, {number_title(plan.number)} on {plan.dataset}")
    counts = f" over {cell.estimate.counts}" if cell.estimate and cell.interval else ""
    print(f"  here       {cell.text} {cell.interval}{counts}".rstrip())
    print(f"  published  {as_printed(figure.value)}: {figure.source}; {figure.measured_by}, {figure.measured_on}")
    if each.difference is None:
        print(f"  allowed    ± {plan.within:g} points from it")
    else:
        print(f"  difference {each.difference:+.2f} {each.interval} over seeds, allowed ± {plan.within:g}")
    for sentence in (*plan.differs, *each.remarks):
        print(f"  note       {sentence}")
    if each.lacking:
        count = ", ".join(f"{number} {stage}" for stage, number in Counter(job.stage for job in each.lacking).items())
        print(f"  jobs missing: {count}: {' '.join(job.key for job in each.lacking)}")
