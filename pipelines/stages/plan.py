"""Stage plan: print the jobs of a study, each with its command and whether it is done.

Needs no torch. ``--write`` writes every job's spec.json, after which each printed line can be run by hand.
"""

import argparse
from pathlib import Path


def main(argv: list[str]) -> int:
    """Print the plan of one or more studies."""
    parser = argparse.ArgumentParser(prog="python -m pipelines plan", description=__doc__)
    parser.add_argument(
        "studies", nargs="+", type=Path, metavar="STUDY", help="study files, e.g. experiments/quickstart.yaml"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--write", action="store_true", help="write the jobs' spec.json files")
    parser.add_argument("--counts", action="store_true", help="print only how many jobs each stage has")
    arguments = parser.parse_args(argv)
    for path in arguments.studies:
        _print_study(path, arguments)
    return 0


def _print_study(path: Path, arguments: argparse.Namespace) -> None:
    from pipelines.spec.plan import plan_file
    from pipelines.stages.job import write_specs

    made = plan_file(path)
    if arguments.write:
        write_specs(made, arguments.results)
    stages = dict.fromkeys(job.stage for job in made.jobs.values())
    print(f"# {path}: {made.study.question}")
    for stage in stages:
        jobs = made.of(stage)
        done = sum(job.done(arguments.results) for job in jobs)
        print(f"# {stage}: {len(jobs)} jobs, {done} done")
        for job in () if arguments.counts else jobs:
            state = "done" if job.done(arguments.results) else "to do"
            print(f"{state:5}  {made.labels[job.stage, job.key]}\n       {job.command(arguments.results)}")
