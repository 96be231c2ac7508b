"""A study as MLflow shows it: rows like those of its tables, in each row the encoders of all seeds. Imports no MLflow."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.advice import plan_again, typed
from pipelines.errors import DamagedFile, InputError
from pipelines.files import digest, read_sealed
from pipelines.spec import layout
from pipelines.tracking.names import measured_on, protocol_names

Listed = Mapping[str, Any]
"""A job as plan.json lists it."""


@dataclass(frozen=True)
class TrackedPart:
    """An evaluation: its folder, the first part of its metrics' names, and the data set's name and folder of shards."""

    folder: Path
    prefix: str
    dataset: str
    shards: Path


@dataclass(frozen=True)
class TrackedEncoder:
    """What becomes one run: an encoder with everything that was measured of it, or a search.

    key    unique in the study
    trunk  the folder of its pretraining or search; None for an encoder that nobody trained
    """

    key: str
    name: str
    seed: int | None
    dataset: str
    trunk: Path | None
    shards: Path | None
    parts: tuple[TrackedPart, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all its jobs."""
        return (*([self.trunk] if self.trunk else []), *(part.folder for part in self.parts))


@dataclass(frozen=True)
class TrackedRow:
    """A line of the study's tables: a method with its grid point, a floor, or a search.

    label   what the tables call it; with its data set where several are pretrained on
    method  as the study names it; of a floor its kind (pixels, untrained): rows of one method share a colour
    kind    method, reference (it saw the labels), floor, checkpoint (weights from a file) or search
    """

    key: str
    label: str
    method: str
    kind: str
    dataset: str
    encoders: tuple[TrackedEncoder, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all its jobs."""
        return tuple(folder for encoder in self.encoders for folder in encoder.folders)


@dataclass(frozen=True)
class StudyTree:
    """An experiment. ``main``: the metric that the study is judged by, as in ``few_shot/1_shot``."""

    name: str
    question: str
    folder: Path
    main: str
    rows: tuple[TrackedRow, ...]


class Trees:
    """The studies of a results folder; a plan that did not change is not read again."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.unread: list[str] = []
        """Of the last reading: one message a plan that was left out."""
        self._read: dict[Path, tuple[int, StudyTree]] = {}

    def read(self, studies: Collection[str] = ()) -> list[StudyTree]:
        """All studies, or those named; InputError when one of these has no plan.

        A plan that cannot be read is left out and named in ``unread``, unless it was asked for: planning writes it anew.
        """
        self.unread = []
        for name in studies:
            if not layout.written_plan(self.results, name).exists():
                raise InputError(
                    f"{layout.written_plan(self.results, name)}: study '{name}' has no plan here; "
                    f"make one with: {typed('plan', f'experiments/{name}.yaml', '--write', '--results', self.results)}"
                )
        found = []
        for path in layout.written_plans(self.results):
            if not studies or path.parent.name in studies:
                try:
                    found.append(self._tree(path))
                except DamagedFile as error:
                    if studies:
                        raise
                    self.unread.append(str(error))
        return found

    def _tree(self, path: Path) -> StudyTree:
        changed = path.stat().st_mtime_ns
        if path not in self._read or self._read[path][0] != changed:
            plan = read_sealed(path, plan_again(self.results))
            try:
                self._read[path] = changed, tree_of(plan, self.results)
            except (KeyError, TypeError) as error:
                raise DamagedFile(
                    f"{path}: is no plan of this project ({error!r}); {plan_again(self.results)}"
                ) from None
        return self._read[path][1]


def tree_of(plan: Listed, results: Path) -> StudyTree:
    """The rows of a plan, in its order; searches last."""
    jobs: list[Listed] = plan["jobs"]
    evaluations = [job for job in jobs if job["stage"] == "evaluate"]
    trained = {job["key"]: job for job in jobs if job["stage"] == "pretrain"}
    homes = list(dict.fromkeys(data_name(job) for job in trained.values()))
    homes = homes or list(dict.fromkeys(data_name(job) for job in evaluations))[:1]
    planner = _Planner(results, protocol_names(job["spec"]["evaluation"] for job in evaluations), homes)
    judged: dict[str, list[Listed]] = defaultdict(list)
    for job in evaluations:
        judged[job["inputs"].get("weights", "")].append(job)
    rows = [*planner.methods(trained.values(), judged), *planner.floors(judged[""])]
    rows += [planner.search(job) for job in jobs if job["stage"] == "tune"]
    name = str(plan["study"])
    folder = layout.study_folder(results, name)
    return StudyTree(name, str(plan["question"]), folder, _main(plan, planner.names), tuple(rows))


def _main(plan: Listed, names: Mapping[str, str]) -> str:
    """The main protocol's headline; of a plan that an earlier program wrote the top-1 of the first protocol it lists."""
    if "main" not in plan:
        return f"{next(iter(names.values()), 'final')}/top1"
    evaluation, number = plan["main"]["evaluation"], plan["main"]["number"]
    return f"{names.get(digest(evaluation, 16), evaluation['use'])}/{number}"


@dataclass(frozen=True)
class _Planner:
    """homes: names of the data sets that are pretrained on; all others are targets of transfer."""

    results: Path
    names: Mapping[str, str]
    homes: Sequence[str]

    def methods(self, trained: Iterable[Listed], judged: Mapping[str, list[Listed]]) -> list[TrackedRow]:
        found: dict[tuple[str, str], list[TrackedEncoder]] = defaultdict(list)
        kinds: dict[str, tuple[str, str]] = {}
        for job in trained:
            label, home = str(job["label"]), data_name(job)
            kinds[label] = str(job["method"]), "reference" if saw_labels(job) else "method"
            parts = tuple(self._part(each, home) for each in judged.get(job["key"], ()))
            found[label, home].append(self._trunk(job, parts, f"{label}, seed {job['spec']['seed']}"))
        return [self._row(label, *kinds[label], home, encoders) for (label, home), encoders in found.items()]

    def floors(self, evaluations: Iterable[Listed]) -> list[TrackedRow]:
        """Encoders that nobody trained, beside the methods of every data set that is pretrained on."""
        by_label: dict[str, dict[int, list[Listed]]] = defaultdict(lambda: defaultdict(list))
        kinds: dict[str, tuple[str, str]] = {}
        for job in evaluations:
            kind = "checkpoint" if job["spec"]["source"]["use"] == "checkpoint" else "floor"
            kinds[str(job["label"])] = str(job["method"]), kind
            by_label[str(job["label"])][job["spec"]["seed"]].append(job)
        return [
            self._row(label, *kinds[label], home, [self._untrained(label, home, *item) for item in seeds.items()])
            for home in self.homes
            for label, seeds in by_label.items()
        ]

    def search(self, job: Listed) -> TrackedRow:
        label = f"{job['label']} (tuning)"
        return self._row(label, job["method"], "search", data_name(job), [self._trunk(job, (), label)])

    def _untrained(self, label: str, home: str, seed: int, jobs: list[Listed]) -> TrackedEncoder:
        wanted = [job for job in jobs if data_name(job) == home or data_name(job) not in self.homes]
        parts = tuple(self._part(job, home) for job in wanted)
        return TrackedEncoder(
            f"{digest([label, home], 8)}-s{seed}", f"{label}, seed {seed}", seed, home, None, None, parts
        )

    def _trunk(self, job: Listed, parts: tuple[TrackedPart, ...], name: str) -> TrackedEncoder:
        folder, seed = layout.job_folder(self.results, job["stage"], job["key"]), job["spec"].get("seed")
        return TrackedEncoder(job["key"], name, seed, data_name(job), folder, self._shards(job), parts)

    def _part(self, job: Listed, home: str) -> TrackedPart:
        folder = layout.job_folder(self.results, "evaluate", job["key"])
        protocol = self.names[digest(job["spec"]["evaluation"], 16)]
        dataset = data_name(job)
        return TrackedPart(folder, measured_on(protocol, dataset, home), dataset, self._shards(job))

    def _shards(self, job: Listed) -> Path:
        return layout.job_folder(self.results, "shards", job["inputs"]["shards"])

    def _row(self, label: str, method: str, kind: str, home: str, encoders: Iterable[TrackedEncoder]) -> TrackedRow:
        shown = label if len(self.homes) < 2 else f"{label} ({home})"
        return TrackedRow(digest([label, kind, home], 12), shown, method, kind, home, tuple(encoders))


def data_name(job: Listed) -> str:
    """What a job's data set is called: its name, else its kind, with its limit."""
    spec = job["spec"]["dataset"]
    name = str(spec.get("name") or spec["use"])
    return f"{name}-{spec['limit']}" if spec.get("limit") else name


CAPTIONED = ("webdataset", "coco_captions")
"""Data sets that bring captions of their own."""


def saw_labels(job: Listed) -> bool:
    """Trained on the labels: the supervised reference, and CLIP where its captions are made from class names."""
    method, dataset = job["spec"]["method"]["use"], job["spec"]["dataset"]["use"]
    return method == "supervised" or (method == "clip" and dataset not in CAPTIONED)
