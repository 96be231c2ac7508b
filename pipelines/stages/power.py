"""Stage power: print how many seeds each claim of a study needs to show a difference, and what they cost.

A stage of its own because the statistics take half a second to load, which planning should not pay.
"""

from pathlib import Path

from pipelines.errors import InputError
from pipelines.report.claims import judged
from pipelines.report.comparison import comparisons
from pipelines.report.power import power_lines
from pipelines.report.study import results_of
from pipelines.spec.plan import plan_file


def run(studies: list[Path], results: Path, difference: float) -> None:
    """``difference``: in points of accuracy, beyond the bound of the claim. InputError unless it is above 0."""
    if not difference > 0:
        raise InputError(f"--difference {difference:g}: must be above 0, in points of accuracy, such as 1.0")
    for path in studies:
        made = plan_file(path)
        known = results_of(made.dump(), results, f"the plan of {path}")
        print(f"# {path}: {made.study.question}")
        print("\n".join(power_lines(known, judged(known, comparisons(known)), difference)))
