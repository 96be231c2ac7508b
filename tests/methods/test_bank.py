"""What two processes share of a memory bank."""

import subprocess
import sys
from pathlib import Path

import torch
from methods.bank_ranks import joined

from pipelines.methods.bank import MemoryBank, draw_slots, joint_log_z

ROOT = Path(__file__).parents[2]


def test_two_processes_draw_estimate_and_store_as_one_would(tmp_path):
    probe = ROOT / "tests" / "methods" / "bank_ranks.py"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"]
    launch += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([*launch, str(probe), str(tmp_path)], env=environment, capture_output=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))

    torch.manual_seed(0)
    bank = MemoryBank(20, 4, "uniform")
    index, features = joined()
    slots = draw_slots(index, 20, 5, torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat([first["slots"], second["slots"]]), slots)
    log_z = joint_log_z(features @ bank.slots[:7].T, 20)
    bank.store(index, features, 0.5)
    for found in (first, second):
        torch.testing.assert_close(found["log_z"], log_z)
        assert torch.equal(found["bank"], bank.slots)
