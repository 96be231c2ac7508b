"""What scripts of benchmarks work out by themselves: what they start, and what they make of what was measured."""

import pytest
import torch

from benchmarks import decoding, handover, many_jobs, scaling
from pipelines.spec.plan import plan_file


def test_scaling_trains_one_method_on_images_in_memory(tmp_path):
    (tmp_path / "study.yaml").write_text(scaling.study_of(scaling.FULL["cpu"]))
    (job,) = plan_file(tmp_path / "study.yaml").of("pretrain")
    assert (job.spec.training.data, job.spec.training.batch_size) == ("resident", 256)
    assert job.spec.dataset.limit == 6000


def test_scaling_takes_no_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert scaling.counts("cuda") == [1, 2]
    assert scaling.counts("cpu") == [1, 2, 4]


def test_twice_the_speed_by_two_processes_is_all_of_it():
    rows = {row["what"]: row["value"] for row in scaling.rows({1: [100.0, 50.0], 2: [200.0, 100.0], 4: [300.0, 150.0]})}
    assert rows["2 processes: of 2 times the speed of one"] == 100
    assert rows["4 processes: of 4 times the speed of one"] == 75


def test_planning_has_bounds_for_seconds_and_memory():
    costs = {command: many_jobs.Cost(1.0, 2.0) for command in many_jobs.BOUNDS}
    bounds = [row.get("at_most") for row in many_jobs.rows(49951, costs)]
    assert bounds == [60, 2048, 120, None]


def test_the_cost_of_a_command_is_its_own(tmp_path):
    wasteful = "x = bytes(300 * 2**20)\nfor _ in range(2 * 10**6): pass"
    used = many_jobs.cost(tmp_path, "-c", wasteful)
    assert used.seconds > 0.01
    assert used.mib > 300


def test_a_command_that_fails_has_no_cost(tmp_path, capsys):
    with pytest.raises(many_jobs.subprocess.CalledProcessError):
        many_jobs.cost(tmp_path, "-c", "print('why'); raise SystemExit(3)")
    assert "why" in capsys.readouterr().out


@pytest.mark.parametrize(("side", "factor"), [(224, 1), (447, 1), (448, 2), (900, 4), (2000, 8)])
def test_no_crop_is_enlarged_for_a_scaled_image(side, factor):
    assert decoding.factor_of([(0, 0, side, 3000), (0, 0, 3000, 3000)]) == factor


@pytest.mark.skipif(decoding.simplejpeg is None, reason="needs simplejpeg")
def test_a_scaled_image_has_the_pixels_of_pillows():
    data, boxes = decoding.picture(500, 603, 0), [(0, 0, 460, 500), (3, 5, 490, 450)]
    ours = decoding.reduced_by_simplejpeg(data, boxes)
    assert decoding.difference(ours, decoding.reduced_by_pillow(data, boxes)) == 0


def test_the_worker_fills_the_places_that_are_free():
    class Queue(list):
        get, put = (lambda self: self.pop(0)), list.append

    memory = [[torch.zeros(2, 3, 224, 224, dtype=torch.uint8)] for _ in range(2)]
    full = Queue()
    handover.fill(memory, Queue([1, None]), full, batch=2)
    assert full == [1]
    assert torch.equal(memory[1][0], torch.stack(handover.ready(2)))
    assert not memory[0][0].any()
