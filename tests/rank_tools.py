"""What scripts share that several processes run for a test."""

import json
import traceback
from collections.abc import Callable, Iterable

import torch.distributed as dist

from pipelines import distributed


def checked_by_all(check: Callable[[str], None], names: Iterable[str]) -> None:
    """Check every name in a process group of gloo; rank 0 prints a line of JSON for each, with what went wrong, if anything."""
    dist.init_process_group("gloo")
    for name in names:
        try:
            check(name)
            problem = None
        except Exception:
            problem = traceback.format_exc()
        problems: list[str | None] = [None] * distributed.world_size()
        dist.all_gather_object(problems, problem)
        if distributed.rank() == 0:
            print(json.dumps({"name": name, "problem": "\n".join(filter(None, problems))}), flush=True)
    dist.destroy_process_group()
