"""Views of a study that MLflow lists under *Views*: which runs, in which order, with which columns.

MLflow keeps a view as a tag of the experiment, and an address can name it. It looks at the tag only where the address says
nothing of filter, order and time itself.
"""

import json

from pipelines.tracking.names import answer
from pipelines.tracking.row_run import SPREAD
from pipelines.tracking.store import Experiment

TAG = "mlflow.sharedViewState."
BEST, SEEDS = "best", "seeds"
CREATED = "attributes.start_time"
"""The one order in which MLflow lays seeds into their rows."""
FIXED = {"attributes.`Run Name`": 230, "runDateAndNestInfo": 145, "duration": 80}
"""The columns that MLflow shows always, and how many pixels wide they are."""


def saved_views(main: str) -> dict[str, str]:
    """The tags of an experiment whose study is judged by ``main``."""
    best = {"searchFilter": "tags.level = 'row'", "orderByKey": _main(main)}
    seeds = {"searchFilter": "", "orderByKey": CREATED}
    return {
        f"{TAG}{BEST}": _view("Which method is best?", 1, main, best),
        f"{TAG}{SEEDS}": _view("Why? Rows and their seeds", 2, main, seeds),
    }


def save_views(experiment: Experiment, main: str) -> None:
    """Let MLflow list them."""
    experiment.tell(saved_views(main))


def _main(main: str) -> str:
    return f"metrics.`{answer(main)}`"


def _view(name: str, place: int, main: str, chosen: dict[str, str]) -> str:
    """As MLflow writes one. place: its time, by which MLflow sorts them."""
    widths = {_main(main): 190, f"metrics.`{SPREAD}/{main}`": 210, "tags.`kind`": 90, "tags.`seeds`": 80}
    state = {
        **chosen,
        "orderByAsc": False,
        "startTime": "ALL",
        "selectedColumns": list(widths),
        "columnOrder": [*FIXED, *widths],
        "columnWidths": FIXED | widths,
        "runsHiddenMode": "FIRST_20_RUNS",
    }
    return json.dumps({"name": name, "createdAt": place, "updatedAt": place, "state": json.dumps(state)})
