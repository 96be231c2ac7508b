"""Which units of a run are under way, as Snakemake's own log says it; no file is looked at."""

import logging
from collections.abc import Mapping
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from pipelines.spec.units import Unit

STAGE_OF = {"shards": "shards", "tune": "tune", "tune_best": "tune", "pretrain": "pretrain", "evaluate": "evaluate"}
"""Rule -> the stage whose unit its wildcard names; the other rules do no jobs of a plan."""
PARTS = frozenset({"tune"})
"""Rules that do only a part of a unit: its job is not done when one of them has ended."""


class Events(logging.Handler):
    """Listens to the logger of Snakemake."""

    def __init__(self, units: Mapping[tuple[str, str], Unit]) -> None:
        super().__init__()
        self._units = units
        self._going: dict[int, tuple[str, Unit]] = {}
        self._ended: dict[Unit, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of the start or the end of a job of Snakemake."""
        event, named = getattr(record, "event", None), vars(record)
        if event == LogEvent.JOB_INFO:
            self._start(named)
        elif event == LogEvent.JOB_FINISHED:
            self._end(named.get("job_id"), whole=False)
        elif event == LogEvent.JOB_ERROR:
            self._end(named.get("jobid"), whole=True)

    def look(self) -> tuple[list[Unit], list[Unit]]:
        """The units under way, one entry a process; those that have ended since the last look."""
        self.acquire()
        try:
            going = [unit for _, unit in self._going.values()]
            ended, self._ended = [unit for unit in self._ended if unit not in going], {}
            return going, ended
        finally:
            self.release()

    def _start(self, named: Mapping[str, Any]) -> None:
        rule, unit = named.get("rule_name", ""), (named.get("wildcards") or {}).get("unit", "")
        if found := self._units.get((STAGE_OF.get(rule, ""), unit)):
            self._going[named["jobid"]] = (rule, found)

    def _end(self, number: Any, whole: bool) -> None:
        rule, unit = self._going.pop(number, ("", None))
        if unit and (whole or rule not in PARTS):
            self._ended[unit] = None
