"""Schedules: functions of the progress t in [0, 1], put together from small pieces.

Papers' curves differ by one step here and there. The convention of the loop (training/rates.py) is SimCLR's, BYOL's,
MoCo v3's and MAE's: per optimizer step, warm-up from 0 (the first step has rate 0) reaching the peak on the first step
after it, then a half-period cosine that comes near its end but never reaches it. The pieces give the other conventions
too: ``ramp(0, peak, reach=(w - 1) / w)`` is at the peak on the last of w warm-up steps (SwAV, DINO); ``ramp(peak / w,
peak + peak / w)`` starts one step up (open_clip); flooring t to whole epochs steps per epoch (SimSiam).
"""

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[float], float]
"""A value for a progress t; t outside [0, 1] counts as the nearer end."""


def cosine(start: float, end: float) -> Schedule:
    """Half a period of a cosine, ``start`` at t = 0 and ``end`` at t = 1 (Loshchilov and Hutter, arXiv:1608.03983)."""
    return lambda t: end + (start - end) * (1 + math.cos(math.pi * min(max(t, 0.0), 1.0))) / 2


def ramp(start: float, end: float, reach: float = 1.0) -> Schedule:
    """A straight line from ``start`` at t = 0 to ``end`` at t = ``reach``, flat after it."""
    return lambda t: start + (end - start) * min(max(t / reach, 0.0), 1.0) if reach > 0 else end


def constant(value: float) -> Schedule:
    """The same value throughout."""
    return lambda t: value


def milestones(start: float, at: Sequence[float], factor: float) -> Schedule:
    """``start``, multiplied by ``factor`` from each t in ``at`` on."""
    return lambda t: start * factor ** sum(t >= milestone for milestone in at)


def after(share: float, first: Schedule, rest: Schedule) -> Schedule:
    """``first`` over the first ``share`` of the progress, then ``rest``, each with its own t from 0 to 1."""
    return lambda t: first(t / share) if t < share else rest((t - share) / (1 - share) if share < 1 else 1.0)
