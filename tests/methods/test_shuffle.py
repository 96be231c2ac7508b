"""Rows that change places between processes, in two and in four of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from methods.shuffle_ranks import CHECKS

from pipelines.methods.shuffle import shuffled

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[2, 4])
def problems(request) -> dict[str, str]:
    """Check -> what went wrong with it in so many processes."""
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={request.param}", "--rdzv-backend=c10d"]
    launch += ["--rdzv-endpoint=localhost:0", str(ROOT / "tests" / "methods" / "shuffle_ranks.py")]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {row["name"]: row["problem"] for row in map(json.loads, ran.stdout.splitlines()) if "name" in row}


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("check", CHECKS)
def test_in_several_processes(check, problems):
    assert problems[check] == ""


def test_in_one_process_results_lie_as_given():
    images, seen = torch.arange(12.0).view(6, 2), []
    encoded = shuffled(lambda x: seen.append(x) or x, images, torch.Generator().manual_seed(0), torch.Generator())
    assert torch.equal(encoded, images)
    assert not torch.equal(seen[0], images)
