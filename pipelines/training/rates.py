"""The learning rate and the weight decay of each step, as a study's training options say."""

from pipelines.errors import InputError
from pipelines.schedules import Schedule, after, constant, cosine, milestones, ramp
from pipelines.spec.training import Training


def lr_schedule(training: Training, peak: float) -> Schedule:
    """The learning rate over a run: warm-up from 0 to ``peak``, then cosine, steps or constant.

    A step schedule's milestones are shares of the whole run, warm-up included.
    InputError when the warm-up leaves nothing of the run.
    """
    share = training.warmup_epochs / training.epochs
    if share >= 1:
        raise InputError(
            f"training.warmup_epochs: {training.warmup_epochs:g} must be less than epochs ({training.epochs}); lower it"
        )
    match training.schedule:
        case "cosine":
            rest = cosine(peak, peak * training.final_lr_share)
        case "step":
            left = [(milestone - share) / (1 - share) for milestone in training.milestones]
            rest = milestones(peak, left, training.step_factor)
        case "constant":
            rest = constant(peak)
    return after(share, ramp(0.0, peak), rest)


def lr_at(training: Training, step: int, steps_per_epoch: int, base_lr: float) -> float:
    """The learning rate of optimizer step ``step`` (from 0), whose peak is ``base_lr``; see ``lr_schedule``."""
    return lr_schedule(training, base_lr)(step / (training.epochs * steps_per_epoch))


def weight_decay_at(training: Training, step: int, steps_per_epoch: int) -> float:
    """The weight decay of optimizer step ``step`` (from 0): constant, or a cosine to ``weight_decay_end`` (DINO)."""
    end = training.weight_decay if training.weight_decay_end is None else training.weight_decay_end
    return cosine(training.weight_decay, end)(step / (training.epochs * steps_per_epoch))
