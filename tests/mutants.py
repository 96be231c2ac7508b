"""Faults that some test must find, put in one at a time: python tests/mutants.py [WORD ...], or ``make mutants``.

Each is a change of text in a copy of this checkout, in which the named tests must fail. It takes minutes and is no part of the
suite, which only checks that the texts are still there. WORD: only faults with that word in their description.
"""

import ast
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEANING = "tests/workflow/test_meaning.py"
SHARED = "tests/workflow/test_shared_evaluation.py"
DISTILLED = "tests/evaluation/test_distilled.py"
TIMEOUT = 600


@dataclass(frozen=True)
class Mutant:
    """A fault: what it is, the file, the text that stands there once, what takes its place, and the tests that must fail."""

    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = [
    Mutant(
        "pretrained weights are not loaded, so fine-tuning starts from scratch",
        "pipelines/building/methods.py",
        "        part.load_state_dict(self.weights(name), strict=True)\n",
        "",
        (f"{MEANING}::test_fine_tuning_starts_from_the_pretrained_encoder_and_the_kept_layers_of_its_head",),
    ),
    Mutant(
        "fine-tuning takes every label whatever label_share says",
        "pipelines/evaluation/finetune.py",
        "rows = labelled_rows(bench, options.amount)",
        "rows = labelled_rows(bench, 1.0)",
        (f"{MEANING}::test_fine_tuning_sees_its_share_of_every_class_and_no_other_image",),
    ),
    Mutant(
        "fine-tuning trains on all images, labelled share or not",
        "pipelines/building/workbench.py",
        'loader(self.subject.shards, "train", order, device, subset=rows)',
        'loader(self.subject.shards, "train", order, device)',
        (f"{MEANING}::test_fine_tuning_sees_its_share_of_every_class_and_no_other_image",),
    ),
    Mutant(
        "images for evaluation are flipped at random",
        "pipelines/building/images.py",
        "                flip=0.0,\n",
        "                flip=0.5,\n",
        ("tests/building/test_embedded.py",),
    ),
    Mutant(
        "tuning trains with the seeds that are reported",
        "pipelines/spec/jobs.py",
        "seed=1000 * (self.search.seed + 1) + slot",
        "seed=slot",
        (f"{MEANING}::test_tuning_uses_no_seed_that_is_reported_and_none_twice",),
    ),
    Mutant(
        "the tuned run ignores what tuning chose",
        "pipelines/stages/pretrain.py",
        "spec = job.spec.with_values(chosen)",
        "spec = job.spec",
        (f"{MEANING}::test_the_tuned_run_trains_with_what_tuning_chose",),
    ),
    Mutant(
        "held-out images vote in the online kNN",
        "pipelines/building/pretraining.py",
        "(labels >= 0) & ~held, ",
        "(labels >= 0), ",
        ("tests/building/test_online_knn.py",),
    ),
    Mutant(
        "the collapse flag is never set",
        "pipelines/stages/pretrain.py",
        "flags=collapse_flags(fitted.metrics)",
        "flags=[]",
        (f"{MEANING}::test_a_collapsed_run_is_flagged_and_a_healthy_one_is_not",),
    ),
    Mutant(
        "every process of an evaluation trains on the whole batch",
        "pipelines/building/workbench.py",
        "seed=self.seed, rank=rank, world_size=world)",
        "seed=self.seed)",
        (f"{SHARED}::test_each_process_gets_its_part_of_every_batch",),
    ),
    Mutant(
        "an evaluation that trains is not asked to end",
        "pipelines/building/workbench.py",
        "            stop=self.stop,\n",
        "",
        (f"{SHARED}::test_it_saves_when_it_is_asked_to_end_and_goes_on",),
    ),
    Mutant(
        "pictures are made of every seed",
        "pipelines/spec/planner.py",
        "return seed == min(self.study.seeds)",
        "return seed >= min(self.study.seeds)",
        ("tests/spec/test_plan.py::test_pictures_are_made_of_each_encoders_lowest_seed_alone_and_change_no_key",),
    ),
    Mutant(
        "distillation swaps its two weights",
        "pipelines/evaluation/classifier.py",
        "(1 - self.label_weight) * loss + self.label_weight * picked.sum()",
        "self.label_weight * loss + (1 - self.label_weight) * picked.sum()",
        (DISTILLED,),
    ),
    Mutant(
        "distillation averages the label term over all images",
        "pipelines/evaluation/classifier.py",
        "picked.sum() / of_all",
        "picked.mean()",
        (DISTILLED,),
    ),
    Mutant(
        "the teacher of a distillation has not been fine-tuned",
        "pipelines/building/workbench.py",
        "        classifier.load_state_dict(load_file(file), strict=True)\n",
        "",
        (f"{MEANING}::test_a_student_learns_from_the_teacher_that_was_fine_tuned",),
    ),
    Mutant(
        "held-out positions count the images without label",
        "pipelines/building/features.py",
        "return place[holdout[labelled[holdout]]]",
        "return holdout[labelled[holdout]]",
        ("tests/building/test_embedded.py",),
    ),
]


def stale(root: Path) -> list[str]:
    """What no longer fits the checkout: a text that is not there exactly once, a change that leaves no Python, a lost test."""
    wrong = []
    for mutant in MUTANTS:
        text = (root / mutant.file).read_text() if (root / mutant.file).is_file() else ""
        if text.count(mutant.old) != 1:
            wrong.append(f"{mutant.fault}: {mutant.file} holds {text.count(mutant.old)} times, not once: {mutant.old}")
        try:  # any test fails on a file that does not parse
            ast.parse(text.replace(mutant.old, mutant.new))
        except SyntaxError as error:
            wrong.append(f"{mutant.fault}: changed like this {mutant.file} is no Python ({error})")
        gone = [test for test in mutant.tests if not (root / test.partition("::")[0]).is_file()]
        wrong += [f"{mutant.fault}: there is no {test}" for test in gone]
    return wrong


def copy_to(folder: Path) -> None:
    """The checkout as it stands, without what git ignores."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def passes(folder: Path, tests: list[str]) -> bool:
    """Whether these tests pass there; SystemExit with pytest's words where they cannot be run at all."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return done.returncode == 0


def survives(folder: Path, mutant: Mutant) -> bool:
    """Whether the tests that must find the fault pass with it."""
    file = folder / mutant.file
    text = file.read_text()
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        return passes(folder, list(mutant.tests))
    finally:
        file.write_text(text)


def main(words: list[str]) -> int:
    """Try the mutants; 1 when one survives, 2 when the list or the tests are not fit to tell."""
    if wrong := stale(ROOT):
        print("\n".join(wrong), file=sys.stderr)
        return 2
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.fault for word in words)]
    if not chosen:
        print(f"no fault has all of these words: {' '.join(words)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        copy_to(Path(name))
        if not passes(Path(name), sorted({test for mutant in chosen for test in mutant.tests})):
            print("the tests fail without any fault: mend them first", file=sys.stderr)
            return 2
        alive = []
        for mutant in chosen:
            alive += [mutant] if survives(Path(name), mutant) else []
            print(f"{'SURVIVES' if mutant in alive else 'found'}: {mutant.fault}", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} faults are found")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
