"""Learning rates over time, as pure functions: a run that was stopped asks them again and gets the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

from seqfer.training.config import ScheduleConfig

ONE_CYCLE_WARMUP = 0.3  # share of all epochs
ONE_CYCLE_START = 0.04  # share of the peak


Merit = tuple[float, ...]  # how good an epoch is; the later numbers decide where the earlier ones are equal


def rate_factor(schedule: ScheduleConfig, epoch: float, epochs: int, merits: Sequence[Merit] = ()) -> float:
    """The share of the configured learning rate at a moment of a run.

    Args:
        schedule: how it changes.
        epoch: epochs done so far, with the fraction of the one that runs.
        epochs: of the whole run.
        merits: of each epoch done, more is better; only plateau asks for them.

    Returns:
        In [0, 1].
    """
    warmup = schedule.warmup
    if schedule.name == "one_cycle":
        warmup = warmup or ONE_CYCLE_WARMUP * epochs
        if epoch < warmup:
            return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * epoch / warmup
        return _half_cosine((epoch - warmup) / max(epochs - warmup, 1e-9))
    if epoch < warmup:
        # Never quite 0: the first step is to move something.
        return max(epoch / warmup, 0.01)
    since = epoch - warmup
    if schedule.name == "step":
        return schedule.factor ** int(since / schedule.every)
    if schedule.name == "plateau":
        return schedule.factor ** _reductions(merits, schedule.patience)
    if schedule.name == "cosine":
        return _half_cosine(since / max(epochs - warmup, 1e-9))
    if schedule.name == "cosine_restarts":
        length = float(schedule.every)
        while since >= length:
            since -= length
            length *= 2
        return _half_cosine(since / length)
    return 1.0


def without_gain(merits: Sequence[Merit]) -> int:
    """How many epochs have passed since the best one."""
    return len(merits) - 1 - max(range(len(merits)), key=lambda k: (merits[k], -k)) if merits else 0


def _reductions(merits: Sequence[Merit], patience: int) -> int:
    """How often `patience` epochs in a row have brought no better figure."""
    best: Merit = ()
    waited = count = 0
    for merit in merits:
        waited = 0 if merit > best else waited + 1
        best = max(best, merit)
        if waited == patience:
            count, waited = count + 1, 0
    return count


def _half_cosine(progress: float) -> float:
    return 0.5 + 0.5 * cos(pi * min(1.0, progress))
