"""Plans: what becomes a job, what changes its key, and what is refused before anything runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.job import INPUT_STAGE
from pipelines.spec.jobs import Untrained
from pipelines.spec.plan import plan_file

BASE = """
question: q
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods:
  - {{use: moco, queue_size: 512, label: plain}}
  - {{use: moco, queue_size: 512, label: ft, feature_transform: {{}}}}
{more}
seeds: [0, 1]
training: {{batch_size: 64, epochs: 3}}
evaluation: [{{use: knn}}, {{use: linear}}]
"""

TUNING = """
tuning:
  trials: 4
  workers: 2
  methods: [plain, ft]
  space: {momentum: {low: 0.9, high: 0.999, complement: true}}
  extra: {ft: {feature_transform.positive.alpha: {low: 0.5, high: 4.0, log: true}}}
"""


def made(folder: Path, more: str = "", old: str = "", new: str = ""):
    path = folder / "x.yaml"
    text = BASE.format(more=more)
    assert old in text
    path.write_text(text.replace(old, new) if old else text)
    return plan_file(path)


def keys(plan, stage: str) -> set[str]:
    return {job.key for job in plan.of(stage)}


def test_counts_of_a_study_with_floors(tmp_path):
    plan = made(tmp_path)
    counts = {stage: len(plan.of(stage)) for stage in ("shards", "pretrain", "evaluate")}
    assert counts == {"shards": 1, "pretrain": 4, "evaluate": 2 * (4 + 3)}


def test_every_input_is_a_job_of_the_plan(tmp_path):
    plan = made(tmp_path, TUNING)
    for job in plan.jobs.values():
        for name, key in job.inputs.items():
            assert (INPUT_STAGE[name], key) in plan.jobs


def test_a_grid_multiplies_and_names_its_points(tmp_path):
    plan = made(tmp_path, "grid: {temperature: [0.1, 0.2], training.lr_per_256: [0.03, 0.06]}")
    assert len(plan.of("pretrain")) == 2 * 4 * 2
    assert "ft[temperature=0.1,lr_per_256=0.06]" in {name.label for name in plan.names.values()}
    temperatures = {job.spec.method.temperature for job in plan.of("pretrain")}
    assert temperatures == {0.1, 0.2}


def test_comments_and_defaults_written_out_change_no_key(tmp_path):
    same = made(tmp_path, "# a comment", "batch_size: 64", "momentum: 0.9, batch_size: 64")
    assert set(same.jobs) == set(made(tmp_path).jobs)


def test_a_whole_number_for_a_float_changes_no_key(tmp_path):
    first = made(tmp_path, "", "epochs: 3", "epochs: 3, warmup_epochs: 1")
    second = made(tmp_path, "", "epochs: 3", "epochs: 3, warmup_epochs: 1.0")
    assert set(first.jobs) == set(second.jobs)


def test_how_to_run_changes_no_key(tmp_path):
    same = made(tmp_path, "", "epochs: 3", "epochs: 3, workers: 9, checkpoint_minutes: 1.0")
    assert set(same.jobs) == set(made(tmp_path).jobs)


def reading(folder: Path, **how: object):
    return made(folder, "", "epochs: 3", f"epochs: 3, reading: {json.dumps(how)}")


def test_reading_in_another_order_is_another_result_and_from_another_place_is_not(tmp_path, monkeypatch):
    plain = made(tmp_path)
    assert set(reading(tmp_path, order="random").jobs) == set(plain.jobs)
    sequential = reading(tmp_path, order="sequential")
    assert not keys(sequential, "pretrain") & keys(plain, "pretrain")
    assert keys(sequential, "shards") == keys(plain, "shards")
    elsewhere = reading(tmp_path, order="sequential", address="https://host/tars", cache="/scratch", cache_gib=1)
    assert set(elsewhere.jobs) == set(sequential.jobs)
    other = reading(tmp_path, order="sequential", buffer=7)
    assert not keys(other, "pretrain") & keys(sequential, "pretrain")


def test_a_study_that_would_run_a_command_is_refused_until_its_reader_allows_it(tmp_path, monkeypatch):
    how = {"order": "sequential", "address": "pipe:rm -rf / {name}"}
    monkeypatch.delenv("PIPELINES_ALLOW_PIPE", raising=False)
    with pytest.raises(InputError, match=r"x\.yaml: plain: reading.address: 'pipe:rm .* PIPELINES_ALLOW_PIPE=1"):
        reading(tmp_path, **how)
    monkeypatch.setenv("PIPELINES_ALLOW_PIPE", "1")
    assert reading(tmp_path, **how)


def test_sequential_reading_of_what_lies_in_memory_is_refused(tmp_path):
    with pytest.raises(InputError, match="data resident keeps all images in memory"):
        made(tmp_path, "", "epochs: 3", "epochs: 3, data: resident, reading: {order: sequential}")


def test_another_probe_reruns_only_evaluations(tmp_path):
    before, after = made(tmp_path), made(tmp_path, "", "{use: knn}", "{use: knn, k: 5}")
    for stage in ("shards", "pretrain"):
        assert keys(before, stage) == keys(after, stage)
    assert len(keys(before, "evaluate") & keys(after, "evaluate")) == 7  # the linear probes


def test_another_option_of_one_method_reruns_only_that_method(tmp_path):
    before, after = made(tmp_path), made(tmp_path, "", "512, label: plain", "256, label: plain")
    assert len(keys(before, "pretrain") & keys(after, "pretrain")) == 2


def test_one_more_seed_adds_only_its_own(tmp_path):
    before, after = made(tmp_path), made(tmp_path, "", "[0, 1]", "[0, 1, 2]")
    assert keys(before, "pretrain") < keys(after, "pretrain")
    assert keys(before, "evaluate") < keys(after, "evaluate")


def test_pictures_are_made_of_each_encoders_lowest_seed_alone_and_change_no_key(tmp_path):
    plan = made(tmp_path, old="seeds: [0, 1]", new="seeds: [2, 1]")
    asked = [job.spec for job in plan.of("evaluate") if job.spec.pictures]
    assert {spec.evaluation.use for spec in asked} == {"knn"}
    assert {(spec.source.use, spec.seed) for spec in asked} == {("pretrain", 1), ("untrained", 1), ("pixels", 0)}
    assert {job.spec.seed for job in plan.of("pretrain") if job.spec.pictures} == {1}
    other = made(tmp_path, old="seeds: [0, 1]", new="seeds: [2]")
    assert all(job.spec.pictures for job in other.of("pretrain"))
    for stage in ("pretrain", "evaluate"):
        assert keys(other, stage) <= keys(plan, stage)


def test_no_pictures_are_awaited_of_a_protocol_that_makes_none(tmp_path):
    plan = made(tmp_path, old="{use: knn}", new="{use: knn, leave_one_out: true}")
    assert not any(job.spec.pictures for job in plan.of("evaluate"))


def test_labels_are_not_part_of_a_key(tmp_path):
    assert set(made(tmp_path).jobs) == set(made(tmp_path, "", "label: plain", "label: renamed").jobs)


def test_both_sides_are_tuned_with_the_same_number_of_trials(tmp_path):
    plan = made(tmp_path, TUNING)
    tuned = plan.of("tune")
    assert [job.spec.search.trials for job in tuned] == [4, 4]
    assert [sorted(job.spec.search.space) for job in tuned] == [
        ["momentum"],
        ["feature_transform.positive.alpha", "momentum"],
    ]
    waiting = [job for job in plan.of("pretrain") if "best" in job.inputs]
    assert len(waiting) == 4
    assert {plan.names["pretrain", job.key].label for job in waiting} == {"plain_tuned", "ft_tuned"}


def test_the_number_of_tuning_workers_changes_no_key(tmp_path):
    assert set(made(tmp_path, TUNING).jobs) == set(made(tmp_path, TUNING, "workers: 2", "workers: 3").jobs)


@pytest.mark.parametrize(
    ("more", "old", "new", "message"),
    [
        ("", "512, label: plain", "2048, label: plain", "must be smaller than the 1294 images"),
        ("", "512, label: plain", "500, label: plain", "queue_size 500 must be a multiple of the 64 keys"),
        ("grid: {temprature: [0.1]}", "", "", "temprature: moco has no such option; did you mean 'temperature'?"),
        ("grid: {training.epoch: [1]}", "", "", "training.epoch: training has no such option; did you mean 'epochs'?"),
        ("grid: {temperature: []}", "", "", "grid.temperature: needs at least one value"),
        ("grid: {feature_transform.positive.alpha: [1.0]}", "", "", "feature_transform is off for this method"),
        (TUNING.replace("momentum", "momentm"), "", "", "momentm: moco has no such option; did you mean 'momentum'?"),
        (
            TUNING.replace("high: 0.999, complement: true", "high: 1.5"),
            "",
            "",
            "momentum: input should be less than or equal to 1",
        ),
        (TUNING.replace("[plain, ft]", "[plain, ft, fit]"), "", "", "no method is called fit; there are plain, ft"),
    ],
)
def test_what_cannot_work_is_refused_at_planning(tmp_path, more, old, new, message):
    with pytest.raises(InputError) as error:
        made(tmp_path, more, old, new)
    assert message in str(error.value)
    assert "x.yaml" in str(error.value)


LOADED = """
import sys
from pathlib import Path
from pipelines.spec.job import INPUT_STAGE
from pipelines.spec.jobs import Untrained
from pipelines.spec.plan import plan_file
plan_file(Path(sys.argv[1]))
print([name for name in ("torch", "numpy", "pandas", "mlflow", "optuna", "torchvision", "timm") if name in sys.modules])
"""


def test_planning_imports_neither_torch_nor_the_other_heavy_ones(tmp_path):
    made(tmp_path)
    command = [sys.executable, "-c", LOADED, str(tmp_path / "x.yaml")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_encoders_that_differ_in_what_their_name_hides_each_get_a_floor(tmp_path):
    group = "{use: resnet, depth: 10, width: 8, stem: small, norm: group}"
    plan = made(tmp_path, f"  - {{use: moco, queue_size: 512, label: group, encoder: {group}}}")
    untrained = {plan.names[job.place].label for job in plan.of("evaluate") if isinstance(job.spec.source, Untrained)}
    assert untrained == {"untrained resnet10w8", "untrained resnet10w8.2"}


def test_a_method_that_builds_its_encoder_its_own_way_has_a_floor_of_its_own(tmp_path):
    mae = (
        "{use: mae, decoder_width: 16, decoder_depth: 1, decoder_heads: 2, encoder: {use: vit, size: micro, patch: 4}}"
    )
    plan = made(tmp_path, f"  - {mae}")
    sources = [job.spec.source for job in plan.of("evaluate") if isinstance(job.spec.source, Untrained)]
    assert {source.method.use if source.method else None for source in sources} == {None, "mae"}


def test_floors_of_one_name_that_a_method_builds_its_own_way_are_folders_too(tmp_path):
    mae = "{use: mae, decoder_width: 16, decoder_depth: 1, decoder_heads: 2, label: LABEL, encoder: ENCODER}"
    vits = "{use: vit, size: micro, patch: 4}", "{use: vit, size: micro, patch: 4, pool: mean}"
    lines = (mae.replace("LABEL", f"mae{i}").replace("ENCODER", vit) for i, vit in enumerate(vits))
    plan = made(tmp_path, "\n".join(f"  - {line}" for line in lines))
    keys = {job.key.rpartition("-s")[0] for job in plan.of("evaluate") if isinstance(job.spec.source, Untrained)}
    assert {"untrained_vit_micro4-mae-digits", "untrained_vit_micro4-mae.2-digits"} < keys


AT = (("temperature", "0.1"),)


def test_a_job_says_in_parts_what_tables_call_it(tmp_path):
    plan = made(tmp_path, "grid: {temperature: [0.1, 0.2]}\n" + TUNING)
    found = {(name.method, name.point, name.role, name.label) for name in plan.names.values()}
    assert {
        ("plain", AT, "row", "plain[temperature=0.1]"),
        ("plain", AT, "tuning", "plain[temperature=0.1]"),
        ("plain", AT, "row", "plain[temperature=0.1]_tuned"),
        ("pixels", (), "row", "raw pixels"),
        ("untrained", (), "row", "untrained resnet10w8"),
    } <= found
    listed = {
        (job["method"], tuple(map(tuple, job["point"])), job["role"], job["label"]) for job in plan.dump()["jobs"]
    }
    assert listed == found


TWO = """
question: q
datasets:
  - {use: digits, image_size: 16}
  - {use: digits, image_size: 16, limit: 500}
  - {use: fashion_mnist, role: target}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
encoders: {wide: {use: resnet, depth: 10, width: 16, stem: small}}
methods: [{use: moco, queue_size: 128}]
seeds: [0]
training: {batch_size: 64, epochs: 3}
evaluation: [{use: knn}]
"""


def several(folder: Path, more: str = ""):
    path = folder / "several.yaml"
    path.write_text(TWO + more)
    return plan_file(path)


def test_every_method_is_pretrained_on_each_set_and_evaluated_on_it_and_on_the_targets(tmp_path):
    plan = several(tmp_path)
    assert len(plan.of("shards")) == 3
    assert {job.spec.dataset.short_name for job in plan.of("pretrain")} == {"digits", "digits-500"}
    trained = [job for job in plan.of("evaluate") if "weights" in job.inputs]
    assert sorted(job.spec.dataset.short_name for job in trained) == [
        "digits",
        "digits-500",
        "fashion_mnist",
        "fashion_mnist",
    ]
    for job in trained:
        assert job.inputs["shards"] in {each.key for each in plan.of("shards") if each.spec.dataset == job.spec.dataset}


def test_a_role_is_no_part_of_a_data_set(tmp_path):
    before = several(tmp_path)
    path = tmp_path / "several.yaml"
    path.write_text(TWO.replace(", role: target", ""))
    assert {job.key for job in before.of("shards")} == {job.key for job in plan_file(path).of("shards")}


def test_a_grid_ranges_over_data_sets_and_encoders_by_name(tmp_path):
    plan = several(tmp_path, "grid: {dataset: [digits-500], encoder: [wide]}")
    assert [(job.spec.dataset.short_name, job.spec.encoder.width) for job in plan.of("pretrain")] == [
        ("digits-500", 16)
    ]
    assert "moco_v2[encoder=wide]" in {name.label for name in plan.names.values()}
    with pytest.raises(InputError, match=r"grid.encoder: the study has no 'wode'; there are: wide"):
        several(tmp_path, "grid: {encoder: [wode]}")
    with pytest.raises(InputError, match=r"grid.dataset: the study has no 'fashion_mnist'"):
        several(tmp_path, "grid: {dataset: [fashion_mnist]}")


def test_one_data_set_or_a_list_of_different_ones(tmp_path):
    for old, new, message in (
        ("datasets:", "dataset: {use: digits}\ndatasets:", "give one under dataset, or a list under datasets"),
        (", limit: 500", "", "two are called digits"),
        ("image_size: 16", "image_size: 16, role: target", "all have role target"),
    ):
        path = tmp_path / "x.yaml"
        path.write_text(TWO.replace(old, new))
        with pytest.raises(InputError, match=message):
            plan_file(path)


def test_an_unknown_encoder_option_of_a_union_is_named(tmp_path):
    with pytest.raises(InputError, match=r"encoder.dept: resnet has no such option; did you mean 'depth'"):
        made(tmp_path, "", "depth: 10", "dept: 10")


def test_two_rows_of_the_same_runs_are_refused(tmp_path: Path) -> None:
    """The second name would have no runs of its own: its claims would wait for seeds for ever."""
    study = tmp_path / "twice.yaml"
    twice = "[{recipe: moco_v2, grid: {momentum: [0.9, 0.99]}}, {recipe: moco_v2, label: again}]"
    study.write_text(f"question: Q?\nscale: digits\nmethods: {twice}\n")
    with pytest.raises(InputError, match=r"moco_v2\[momentum=0.99\] and again are the same runs"):
        plan_file(study)


@pytest.mark.parametrize(
    "more",
    [
        "training: {epochs: 2}",
        "tuning: {trials: 8, epochs: 2, methods: [moco_v2_ft], space: {momentum: {low: 0.9, high: 0.99}}}",
    ],
)
def test_a_transformation_that_would_never_begin_is_refused(tmp_path: Path, more: str) -> None:
    study = tmp_path / "late.yaml"
    study.write_text(f"question: Q?\nscale: digits\nmethods: [{{recipe: moco_v2_ft}}]\n{more}\n")
    with pytest.raises(InputError, match="start_epoch 2 must be less than the 2 epochs"):
        plan_file(study)
