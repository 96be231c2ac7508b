"""How a job is started on several GPUs and several nodes."""

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.launching.torchrun import launcher

JOB, OTHER = Path("results/jobs/pretrain/x"), Path("results/jobs/pretrain/y")


def test_one_node_takes_torchrun_alone():
    command = launcher("pretrain", [JOB, OTHER], 4, 1)
    assert "--nproc-per-node=4" in command
    assert "--standalone" in command
    assert command[-6:] == ["-m", "pipelines", "pretrain", "--job", str(JOB), str(OTHER)]


def test_two_nodes_take_one_torchrun_each_under_srun():
    command = launcher("evaluate", [JOB], 16, 2)
    assert command[:4] == ["srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1"]
    assert "--nproc-per-node=8 --shutdown-timeout=120 --nnodes=2 --rdzv-backend=c10d" in command[-1]
    assert "SLURM_JOB_NODELIST" in command[-1]
    assert command[-1].endswith(f"-m pipelines evaluate --job {JOB}")


def test_processes_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match="cannot be shared evenly"):
        launcher("pretrain", [JOB], 3, 2)
