"""What jobs ask for grows with their work, and never falls below what a job needs to start."""

import json
from pathlib import Path

import pytest

from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.datasets.stl10 import Options as STL10
from pipelines.spec.encoders.alexnet import Options as AlexNet
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.finetune import Options as FineTune
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.evaluation.linear_augmented import Options as LinearAugmented
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec, ShardsSpec, Trained, TuneSpec
from pipelines.spec.methods.moco import Options as MoCo
from pipelines.spec.resources import CUT, FED_GFLOPS, LEAST_CORES, MOST_CORES, Earlier, resources, shared_by, work
from pipelines.spec.training import Training
from pipelines.spec.tuning import Range, Search
from pipelines.spec.views import Views

ROOT = Path(__file__).parents[2]
PARTS = {"method": MoCo(), "encoder": ResNet(depth=50), "views": Views()}


def data(limit: int | None = None) -> ImageFolder:
    return ImageFolder(name="x", folder="y", image_size=224, limit=limit)


def pretraining(epochs: int = 200, limit: int | None = None) -> PretrainSpec:
    return PretrainSpec(**PARTS, training=Training(epochs=epochs), dataset=data(limit), seed=0)


def evaluation(limit: int | None = None) -> EvaluateSpec:
    return EvaluateSpec(evaluation=Linear(), source=Trained(), dataset=data(limit), seed=0)


def on_images(evaluation: FineTune | LinearAugmented, limit: int | None) -> EvaluateSpec:
    forward = ResNet(depth=50).forward_gflops(224)
    return EvaluateSpec(evaluation=evaluation, source=Trained(), dataset=data(limit), seed=0, forward_gflops=forward)


ON_STL10 = {"evaluation": FineTune(epochs=500), "source": Trained(), "seed": 0, "forward_gflops": 4.1}


def test_published_networks_have_their_published_cost():
    assert ResNet(depth=50).forward_gflops(224) == pytest.approx(4.1)
    assert ResNet(depth=50, width=128).forward_gflops(224) == pytest.approx(4 * 4.1)
    assert ViT(size="base", patch=16).forward_gflops(224) == pytest.approx(17.6)
    assert AlexNet().forward_gflops(112) == pytest.approx(0.7 / 4)


def test_time_grows_with_epochs_and_trials():
    assert resources([pretraining(400)]).minutes == pytest.approx(2 * resources([pretraining()]).minutes, abs=1)
    for repeats, trained in ((0, 3), (2, 3 + 2 * 3)):  # all three are finalists
        search = Search(trials=3, repeats=repeats, space={"temperature": Range(low=0.1, high=0.2)})
        tuning = TuneSpec(**PARTS, training=Training(epochs=200), dataset=data(), search=search)
        assert resources([tuning]).minutes == pytest.approx(
            trained * resources([pretraining()]).minutes, abs=trained
        )  # each is rounded up


@pytest.mark.parametrize(("trials", "repeats", "batch"), [(8, 0, 4), (10, 2, 4), (3, 2, 1), (16, 3, 8)])
def test_workers_of_a_search_each_ask_for_their_part_of_its_time(trials, repeats, batch):
    search = Search(trials=trials, repeats=repeats, batch=batch, space={"temperature": Range(low=0.1, high=0.2)})
    tuning = TuneSpec(**PARTS, training=Training(epochs=200), dataset=data(), search=search)
    alone = resources([tuning]).minutes
    assert search.rounds(1) == search.trainings
    for workers in (2, 3, 4, 100):
        rounds = search.rounds(workers)
        assert rounds * workers >= search.trainings  # nothing is forgotten
        assert rounds <= search.rounds(workers - 1)
        assert resources([tuning], workers=workers).minutes == pytest.approx(alone * rounds / search.trainings, abs=1)
        known = resources([tuning], earlier=Earlier(minutes=600.0), workers=workers)
        assert known.minutes == pytest.approx(1200 * rounds / search.trainings, abs=1)
    assert search.rounds(100) == -(-trials // batch) + bool(repeats)  # each batch at once, then the repeats


def test_jobs_of_one_process_ask_for_the_sum():
    assert work(pretraining()) > 0
    assert resources([pretraining()] * 3).minutes == pytest.approx(3 * resources([pretraining()]).minutes, abs=2)


def test_a_limit_bounds_a_data_set_of_unknown_size():
    assert work(pretraining(limit=1000)) == pytest.approx(work(pretraining()) * 1000 / 1_281_167)


def test_small_jobs_take_one_core_and_half_an_hour():
    small = PretrainSpec(
        **{**PARTS, "encoder": ResNet(depth=10, width=16, stem="small")},
        training=Training(epochs=1),
        dataset=Digits(image_size=16),
        seed=0,
    )
    assert (resources([small]).threads, resources([small]).minutes) == (1, 30)


def test_what_does_not_train_takes_an_hour_or_what_its_images_ask_for():
    small = resources([ShardsSpec(dataset=Digits())])
    assert (small.threads, small.mem_mb, small.minutes) == (1, 8_000, 60)
    large = 1_281_167
    packing, measuring = resources([ShardsSpec(dataset=data(large))]), resources([evaluation(large)])
    assert packing.threads == measuring.threads == 8
    assert packing.mem_mb == 8_000
    whole = large * 2048 * 4 / 1e6
    kept = evaluation(large).model_copy(update={"keep_features": True})
    few = evaluation(large).model_copy(update={"evaluation": FewShot()})
    assert whole < measuring.mem_mb < 2 * whole < 4 * whole < resources([kept]).mem_mb == resources([few]).mem_mb
    assert resources([evaluation(large)] * 2).minutes == pytest.approx(2 * measuring.minutes, abs=1)
    assert resources([evaluation(5_000)]).threads == 1


def test_a_folder_of_unknown_size_asks_by_what_was_packed_of_it():
    unknown, small, large = (resources([evaluation()], counted=count) for count in (None, 500, 1_281_167))
    assert (small.threads, small.mem_mb, small.minutes) == (1, 8_000, 60)
    assert large == resources([evaluation(1_281_167)])
    assert small.minutes <= unknown.minutes < large.minutes
    assert small.mem_mb <= unknown.mem_mb < large.mem_mb
    assert resources([evaluation(400)], counted=500).minutes == small.minutes


def test_an_evaluation_that_trains_on_images_asks_for_its_epochs_not_for_its_images():
    large = 1_281_167
    tuned = resources([on_images(FineTune(epochs=100), large)])
    assert tuned.minutes == pytest.approx(2 * 3 * 4.1 * large * 100 / 20_000 / 60, abs=1)
    assert tuned.minutes == pytest.approx(2 * resources([on_images(FineTune(epochs=50), large)]).minutes, abs=1)
    tenth = resources([on_images(FineTune(epochs=100, label_share=0.1), large)])
    assert tenth.minutes == pytest.approx(tuned.minutes / 10, abs=1)
    probed = resources([on_images(LinearAugmented(epochs=100), large)])
    assert probed.minutes == pytest.approx(tuned.minutes / 3, abs=1)  # nothing goes back through the encoder
    assert 1 < tuned.threads < probed.threads  # which eats images faster
    assert tuned.mem_mb == resources([pretraining()]).mem_mb  # and keeps no features
    assert resources([on_images(FineTune(), 100)]).threads == 1
    assert resources([on_images(FineTune(labels_per_class=1), large)]).minutes < tuned.minutes / 50


@pytest.mark.parametrize(
    ("spec", "shares"),
    [
        (pretraining(), 8),
        (evaluation(1_281_167), 1),
        (on_images(FineTune(), 1_281_167), 8),
        (on_images(LinearAugmented(), 1_281_167), 8),
        (on_images(FineTune(batch_size=300), 1_281_167), 1),  # which eight cannot share
        (on_images(FineTune(label_share=0.01), 10_000), 1),  # 100 images of which are no batch
        (on_images(FineTune(label_share=0.01), 26_000), 1),  # one hardly, when every class is rounded
        (on_images(FineTune(epochs=1), 300), 1),  # over before a process group is up
        (on_images(FineTune(), None), 8),
        (on_images(FineTune(label_share=0.001), None), 1),
        (EvaluateSpec(**ON_STL10, dataset=STL10(unlabelled=True)), 1),  # who knows how many have a label
        (EvaluateSpec(**ON_STL10, dataset=STL10(unlabelled=False)), 8),
    ],
)
def test_gpus_are_shared_by_what_trains_long_enough_and_has_a_batch_to_share(spec, shares):
    assert shared_by(spec, 8) == shares
    assert shared_by(spec, 1) == 1


def test_a_folder_of_unknown_size_is_shared_by_what_was_packed_of_it():
    assert [shared_by(on_images(FineTune(), None), 8, counted) for counted in (300, 500, 50_000)] == [1, 1, 8]


def test_training_on_a_folder_of_unknown_size_asks_by_what_was_packed_of_it():
    assert resources([pretraining()], counted=12_811).minutes == pytest.approx(
        resources([pretraining()]).minutes / 100, abs=1
    )
    assert work(pretraining(), counted=500) == pytest.approx(work(pretraining(limit=500)))


def test_several_gpus_share_the_time_and_each_has_its_cores_and_memory():
    one, eight = resources([pretraining()]), resources([pretraining()], gpus=8)
    assert eight.minutes == pytest.approx(one.minutes / 8, abs=1)
    assert (eight.threads, eight.mem_mb) == (8 * one.threads, 8 * one.mem_mb)
    assert resources([pretraining()], gpus=0) == one


def measured_rate(recipe: str) -> float:
    rows = json.loads((ROOT / "benchmarks" / "results" / "photographs.json").read_text())["rows"]
    return next(row["value"] for row in rows if row["what"] == f"{recipe}: ours, crops alone")


def test_cores_keep_a_gpu_fed_that_is_as_fast_as_estimated():
    """MoCo v2 passes an image four times through ResNet-50; one of the cores trains and decodes nothing."""
    fastest = 3_500 * 3 / 4  # 3,500 images a second of one view, forward and backward
    asked = resources([pretraining()]).threads
    assert asked == 8
    assert (asked - 1) * measured_rate("2 x 224") >= fastest
    assert (asked - 1) * measured_rate("2 x 224 + 6 x 96") >= fastest
    assert pytest.approx(3_500 * 3 * ResNet(depth=50).forward_gflops(224), rel=0.01) == FED_GFLOPS


def test_the_rate_of_a_core_is_none_that_was_not_measured():
    assert pytest.approx(measured_rate("2 x 224 + 6 x 96"), rel=0.05) == CUT
    assert measured_rate("2 x 224") > CUT


def test_a_job_asks_for_no_more_cores_than_stated_and_for_no_fewer_where_it_is_long():
    slow = PretrainSpec(
        **{**PARTS, "encoder": ResNet(depth=50, width=128)}, training=Training(epochs=200), dataset=data(), seed=0
    )
    assert resources([on_images(LinearAugmented(), 1_281_167)]).threads == MOST_CORES
    assert resources([slow]).threads == LEAST_CORES


def test_a_faster_network_asks_for_more_cores_to_feed_it():
    fast = PretrainSpec(**{**PARTS, "encoder": ResNet(depth=18)}, training=Training(epochs=200), dataset=data(), seed=0)
    assert resources([pretraining()]).threads < resources([fast]).threads <= 16
