"""Many short jobs in the queue of a real Slurm on loopback: how long the controller takes, and that none is lost.

    PYTHONPATH=tests python benchmarks/slurm_queue.py --jobs 200

Needs what tests/slurm needs (slurm-wlm, munge, root). Jobs that do nothing; each still starts Snakemake twice.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slurm.cluster import running_cluster

ROOT = Path(__file__).parents[1]
WORKFLOW = """
import sys
sys.path.insert(0, {root!r})
from pipelines.launching.polling import look_often

look_often()


rule reproduce_all:
    default_target: True
    input: expand("done/{{number}}", number=range({jobs}))

rule one:
    output: "done/{{number}}"
    resources: mem_mb=100
    shell: "touch {{output}}"
"""


def main() -> int:
    """Run them, and print seconds, jobs that ended well and the controller's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as name, running_cluster(2) as cluster:
        folder = Path(name)
        shutil.copytree(ROOT / "slurm", folder / "slurm")
        (folder / "Snakefile").write_text(WORKFLOW.format(root=str(ROOT), jobs=jobs))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        begin = time.monotonic()
        command = ["snakemake", "--profile", "slurm", "--quiet", "all", "--", "reproduce_all"]
        status = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=False).returncode
        seconds = time.monotonic() - begin
        ended = (cluster.folder / "finished-jobs.txt").read_text().count("JobState=COMPLETED")
        made = len(list((folder / "done").iterdir()))
    print(f"{jobs} jobs: {seconds:.0f} s, {ended} completed in Slurm, {made} outputs, exit status {status}")
    return status or int(made != jobs)


if __name__ == "__main__":
    sys.exit(main())
