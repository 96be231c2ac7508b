"""From a study to its jobs: what is packed, tuned, trained and evaluated, and what tables call each."""

from dataclasses import replace

from pipelines.errors import InputError
from pipelines.spec.ceiling import ceiling_of
from pipelines.spec.coloured import check_evaluations, check_same_channels
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.distill import Options as Distill
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.floors import floors_of
from pipelines.spec.grid import Point, points, row_name
from pipelines.spec.job import Job, Place
from pipelines.spec.jobs import AnySource, EvaluateSpec, Foreign, JobSpec, Pixels, ShardsSpec, Trained
from pipelines.spec.labels import Labels
from pipelines.spec.resolve import Run, resolve
from pipelines.spec.row_name import RowName, of_pixels, of_untrained
from pipelines.spec.study import MethodEntry, Study
from pipelines.spec.tuning import Search


class Planner:
    """Fills ``jobs`` and ``names``, in an order in which they can run, and ``notes``.

    notes: label of a method -> whose settings were overruled by whose
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.jobs: dict[Place, Job] = {}
        self.names: dict[Place, RowName] = {}
        self.shards: dict[str, str] = {}
        self.notes: dict[str, tuple[str, ...]] = {}
        self.labels_known = Labels.of(study)

    def expand(self) -> None:
        """All jobs: every data set's shards, then tuning, floors and methods of each that is pretrained on."""
        for dataset in self.study.all_datasets:
            name = dataset.short_name
            self.shards[name] = self._add(name, ShardsSpec(dataset=dataset), {}, RowName(label=name, method=name))
        for dataset in self.study.pretraining_sets:
            self.labels_known.check(dataset)
            for evaluated in self.labels_known.evaluated_on(dataset):
                where = f"datasets: what is pretrained on {dataset.short_name}"
                check_same_channels(where, dataset.input_channels, evaluated)
                check_evaluations(self.study.evaluation, evaluated)
            self._pretrain_on(dataset)

    def _add(self, prefix: str, spec: JobSpec, inputs: dict[str, str], name: RowName) -> str:
        """Register a job and return its key; jobs of equal content are one job."""
        job = Job.of(prefix, spec, inputs)
        self.jobs.setdefault(job.place, job)
        self.names.setdefault(job.place, name)
        return job.key

    def _pretrain_on(self, dataset: DataSet) -> None:
        entries = self.study.methods
        runs: list[tuple[Run, str | None]] = [
            (resolve(self.study, entry, point, dataset), None)
            for entry in entries
            for point in points(self.study, entry, dataset)
        ]
        self.notes |= {run.label: run.notes for run, _ in runs if run.notes}
        self._check_evaluations([run for run, _ in runs])
        runs += [tuned for entry in entries for tuned in self._tuned(entry, dataset)]
        if self.study.floors:
            self._floors([run for run, _ in runs], dataset)
        self._checkpoints(dataset)
        if ceiling := ceiling_of(self.study, [run for run, _ in runs], dataset):
            self._check_encoders(ceiling)
            runs.append((ceiling, None))
        for run, best in runs:
            for seed in self.study.seeds:
                self._pretrain(run, seed, best)

    def _check_evaluations(self, runs: list[Run]) -> None:
        for i, evaluation in enumerate(self.study.evaluation):
            if runs and not any(evaluation.suits(run.method) for run in runs):
                raise InputError(
                    f"evaluation[{i}]: {evaluation.use} suits none of the methods: zero_shot and retrieval need a text "
                    "tower (clip), head_layers that many layers in a method's head (simclr); take it out or add such a method"
                )
        for run in runs:
            self._check_encoders(run)

    def _check_encoders(self, run: Run) -> None:
        own = run.method.own_encoder(run.encoder)
        for i, evaluation in enumerate(self.study.evaluation):
            if evaluation.suits(run.method):
                self._check_encoder(f"evaluation[{i}]: {run.label}", evaluation, run.encoder, own)

    def _check_encoder(self, where: str, evaluation: Protocol, encoder: EncoderOptions, own: bool) -> None:
        try:
            evaluation.check_encoder(encoder, own)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None

    def _tuned(self, entry: MethodEntry, dataset: DataSet) -> list[tuple[Run, str | None]]:
        """The runs that take the best values of a tuning study, with that study's key."""
        tuning = self.study.tuning
        if not tuning or entry.label not in tuning.methods:
            return []
        search = tuning.search_of(entry.label)
        kept = [
            {path: value for path, value in point.items() if path not in search.space}
            for point in points(self.study, entry, dataset)
        ]
        result: list[tuple[Run, str | None]] = []
        for point in [point for i, point in enumerate(kept) if point not in kept[:i]]:
            run = resolve(self.study, entry, point, dataset)
            self._check_ends(entry, point, search, dataset)
            prefix = f"{run.method.short_name}-{dataset.short_name}"
            inputs = {"shards": self.shards[dataset.short_name]}
            name = run.name.model_copy(update={"role": "tuning"})
            best = self._add(prefix, run.search(search, tuning.epochs), inputs, name)
            result.append((replace(run, name=row_name(entry, point, tuned=True)), best))
        return result

    def _check_ends(self, entry: MethodEntry, point: Point, search: Search, dataset: DataSet) -> None:
        """Both ends of every range must be allowed values, found out before any trial runs."""
        for path, limits in search.space.items():
            for end in limits.ends:
                resolve(self.study, entry, {**point, path: end}, dataset)

    def _pretrain(self, run: Run, seed: int, best: str | None) -> None:
        data = run.dataset.short_name
        inputs = {"shards": self.shards[data], **({"best": best} if best else {})}
        prefix = f"{run.method.short_name}{'_tuned' if best else ''}-{data}-s{seed}"
        weights = self._add(prefix, run.pretraining(seed, pictures=self._is_shown(seed)), inputs, run.name)
        if (other := self.names["pretrain", weights]) != run.name:
            raise InputError(
                f"methods: {other.label} and {run.name.label} are the same runs, every option is equal, and tables and claims "
                "would know them by the first name alone; leave one of them out"
            )
        fitting = [evaluation for evaluation in self.study.evaluation if evaluation.suits(run.method)]
        for dataset in self.labels_known.evaluated_on(run.dataset):
            where = prefix if dataset is run.dataset else f"{prefix}-on-{dataset.short_name}"
            self._evaluate(where, fitting, Trained(), run.encoder, dataset, seed, {"weights": weights}, run.name)

    def _floors(self, runs: list[Run], dataset: DataSet) -> None:
        """What any method has to beat: raw pixels, and every method's encoder at step 0 (or trained from scratch)."""
        plain = [evaluation for evaluation in self.study.evaluation if not evaluation.needs_text]
        on_features = [evaluation for evaluation in plain if not evaluation.on_images]
        scratch = [evaluation for evaluation in plain if not isinstance(evaluation, Distill)]
        for evaluated in self.labels_known.evaluated_on(dataset):
            data = evaluated.short_name
            self._evaluate(f"pixels-{data}", on_features, Pixels(), None, evaluated, 0, {}, of_pixels())
            for floor in floors_of(runs):
                for seed in self.study.seeds:
                    prefix = f"untrained_{floor.slug}-{data}-s{seed}"
                    name = of_untrained(floor.name)
                    self._evaluate(prefix, scratch, floor.source, floor.source.encoder, evaluated, seed, {}, name)

    def _checkpoints(self, dataset: DataSet) -> None:
        """Weights from files as they are: frozen protocols once, those that train on images with every seed."""
        fitting = [each for each in self.study.evaluation if not each.needs_text and not isinstance(each, Distill)]
        on_features = [each for each in fitting if not each.on_images]
        on_images = [each for each in fitting if each.on_images]
        for name, encoder in self.study.checkpoints.items():
            try:
                source = Foreign(encoder=encoder.known())
            except InputError as error:
                raise InputError(f"checkpoint {name}: {error}") from None
            for evaluation in fitting:
                self._check_encoder(f"checkpoint {name}", evaluation, source.encoder.of(), own=False)
            for evaluated in self.labels_known.evaluated_on(dataset):
                check_same_channels(f"checkpoint {name}", source.encoder.input_channels, evaluated)
                for i, seed in enumerate(self.study.seeds):
                    chosen = [*on_features, *on_images] if i == 0 else on_images
                    prefix = f"{name}-{evaluated.short_name}-s{seed}"
                    row = RowName(label=name, method=name)
                    self._evaluate(prefix, chosen, source, source.encoder, evaluated, seed, {}, row)

    def _evaluate(
        self,
        prefix: str,
        evaluations: list[Protocol],
        source: AnySource,
        encoder: EncoderOptions | None,
        dataset: DataSet,
        seed: int,
        inputs: dict[str, str],
        name: RowName,
    ) -> None:
        """A job for each protocol; those on frozen features of one encoder run in one process (see units)."""
        inputs = {**inputs, "shards": self.shards[dataset.short_name]}
        for evaluation in [each for each in evaluations if self.labels_known.fits(each, dataset)]:
            needed = dict(inputs)
            spec = EvaluateSpec(
                evaluation=evaluation,
                source=source,
                dataset=dataset,
                seed=seed,
                keep_features=self.study.keep_features,
                pictures=self._is_looked_at(evaluation, source, seed),
                forward_gflops=encoder.forward_gflops(dataset.side or 224) if encoder else 0.0,
            )
            if isinstance(evaluation, Distill):
                teacher = spec.model_copy(update={"evaluation": evaluation.teacher})
                taught = name.model_copy(update={"role": "teacher"})
                needed["teacher"] = self._add(f"{prefix}-finetune", teacher, inputs, taught)
            self._add(f"{prefix}-{evaluation.use}", spec, needed, name)

    def _is_looked_at(self, evaluation: Protocol, source: AnySource, seed: int) -> bool:
        """Whether the report shows pictures of what it sees: of kNN that names test images, of every encoder's lowest seed."""
        shown = isinstance(source, Pixels | Foreign) or self._is_shown(seed)
        return isinstance(evaluation, Knn) and not evaluation.leave_one_out and shown

    def _is_shown(self, seed: int) -> bool:
        """Whether the report shows pictures of this seed."""
        return seed == min(self.study.seeds)
