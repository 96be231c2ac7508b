"""How long a failure under Slurm can go unnoticed.

The executor plugin (2.8.0) waits ten seconds longer after every look that found no success, up to 180, and has no setting
for that; a study whose long jobs run on would learn of a failure three minutes late.
"""

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

LONGEST = 30.0
"""Seconds between two looks: one squeue for all jobs of a run."""
_sleep = RemoteExecutor.sleep


async def sleep(executor: RemoteExecutor) -> None:
    """Sleep until the next look, but not longer than ``LONGEST``."""
    executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks, LONGEST)
    await _sleep(executor)


def look_often() -> None:
    """Let every executor of this process do so."""
    RemoteExecutor.sleep = sleep
