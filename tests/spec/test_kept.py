"""The disk of kept features: what planning says is what the files take."""

import re

import pytest
from study_tools import Made

from pipelines.cli import main
from pipelines.spec.enough import contents_of
from pipelines.spec.kept import kept_features
from pipelines.spec.layout import features_file
from pipelines.spec.plan import plan_file

STUDY = """
question: q
dataset: {use: digits, limit: 200}
encoder: {use: resnet, depth: 10, width: 4}
methods: [{use: simclr, label: plain}, {use: cmc, split: edges, num_negatives: 8, label: two}]
seeds: [0, 1]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3}, {use: linear, least_steps: 10, epochs: 1}, {use: finetune, epochs: 1}]
keep_features: true
"""
HEADER = 4096
"""Bytes of a file that are no features, at most, beside the images' names."""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    return Made.of(STUDY, tmp_path_factory.mktemp("kept"))


def test_the_files_take_what_was_said_and_are_then_no_more_to_come(made):
    plan, results = made.plan, made.results
    contents = contents_of(plan, results)
    said = {kept.label: kept for kept in kept_features(plan, contents, results)}
    assert {"plain", "two", "raw pixels"} <= set(said)
    assert said["plain"].files == 2
    assert said["two"].width == 2 * said["plain"].width
    labels = {plan.names[job.place].label: job for job in plan.of("evaluate") if job.spec.evaluation.use == "knn"}
    for label, kept in said.items():
        job = labels[label]
        made.run(*(plan.jobs["pretrain", key] for name, key in job.inputs.items() if name == "weights"), job)
        size = features_file(results, job.spec.features_key(job.inputs)).stat().st_size
        names = kept.images * 24
        assert 0 <= size - kept.bytes // kept.files <= HEADER + names
    after = {kept.label: kept.files for kept in kept_features(plan, contents, results)}
    assert after == {label: kept.files - 1 for label, kept in said.items() if kept.files > 1}


@pytest.mark.parametrize(("keeps", "words"), [("true", "features that are kept: "), ("false", "would take ")])
def test_the_plan_says_it_whether_they_are_kept_or_not(tmp_path, capsys, keeps, words):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("keep_features: true", f"keep_features: {keeps}"))
    assert main(["plan", str(file), "--results", str(tmp_path / "results"), "--cost"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"{words}[0-9.]+ MB on disk", text)
    assert bool(re.search("plain on digits-200: 2 x [0-9]+ images x", text)) == (keeps == "true")


def test_a_width_that_only_the_network_tells_is_said(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("use: resnet, depth: 10, width: 4", "use: timm, name: resnet10t"))
    (found,) = [kept for kept in kept_features(plan_file(file), {}, tmp_path) if kept.label == "plain"]
    assert (found.width, found.bytes) == (None, None)
    assert "as the built network gives" in found.told


def test_what_stands_behind_a_head_or_beside_the_pooled_feature_has_no_width_before_it_is_built(tmp_path):
    file = tmp_path / "study.yaml"
    asked = "[{use: knn, k: 3, head_layers: 1}, {use: linear, least_steps: 10, epochs: 1, features: [pooled, stage_2]}]"
    methods = "methods: [{use: simclr, label: plain}]"
    lines = STUDY.splitlines()
    lines = [f"evaluation: {asked}" if line.startswith("evaluation") else line for line in lines]
    file.write_text("\n".join(methods if line.startswith("methods") else line for line in lines))
    plan = plan_file(file)
    kept = [each for each in kept_features(plan, contents_of(plan, tmp_path), tmp_path) if each.label == "plain"]
    assert {each.width for each in kept} == {None}
    assert all("as the built network gives" in each.told for each in kept)
