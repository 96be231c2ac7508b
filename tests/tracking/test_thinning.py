"""Long curves are thinned: few points, none of a short curve lost, the late part still dense enough to draw."""

from pathlib import Path

from tracking.job_folders import KEY, folder, held, level, log, opened, sync

from pipelines.tracking.thinning import ALL, AN_OCTAVE, is_sent


def test_a_long_curve_keeps_a_few_thousand_points_and_a_short_one_all() -> None:
    sent = [reading for reading in range(900_000) if is_sent(reading)]
    assert sent[:ALL] == list(range(ALL))
    assert len(sent) < 5000
    assert max(after / before for before, after in zip(sent[ALL:], sent[ALL + 1 :], strict=False)) <= 1 + 1 / AN_OCTAVE


def test_the_points_do_not_depend_on_when_they_were_synced(tmp_path: Path) -> None:
    path = folder(tmp_path)
    for steps in (range(ALL + 5), range(ALL + 5, ALL + 40)):
        log(path, *steps)
        assert sync(tmp_path).problems == []
    experiment = opened(tmp_path)
    run = level(experiment, "seed")[KEY]
    assert [step for step, _ in held(experiment, run, "train/loss")] == [s for s in range(ALL + 40) if is_sent(s)]
