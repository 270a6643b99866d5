"""How steadily a face is read along time: how often the leading expression changes, and when one sets in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer.models.inference import LONGEST_GAP_S
from seqfer.video.types import ROUNDING_S


def label_changes(times_s: NDArray[np.float64], probabilities: NDArray[np.floating[Any]]) -> tuple[int, float]:
    """Changes of the leading expression between neighbouring frames of one track, and the seconds that they span.

    Args:
        times_s: (T,) increasing seconds.
        probabilities: (T, K).

    Returns:
        The number of changes, and the time in which there could have been some: gaps in which the face was out of
        sight for longer than the model reads over count for neither.
    """
    steps = np.diff(times_s)
    near = steps <= LONGEST_GAP_S + ROUNDING_S
    leading = probabilities.argmax(1)
    return int(np.count_nonzero(np.diff(leading)[near])), float(steps[near].sum())


def onset_s(times_s: NDArray[np.float64], shares: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """When a probability goes up to stay there: the one step that fits it best, in least squares.

    A single moment of a probability that flickers says little; the best step is where the means before and after
    it explain most (the change point of Sen & Srivastava, Annals of Statistics 3, 1975, for one upward step).

    Args:
        times_s: (T,) increasing seconds, T >= 2.
        shares: (T,) one expression's probability.

    Returns:
        The time of the first frame after the step, and by how much the mean rises there; 0 if it nowhere does.
    """
    count = len(shares)
    sums = np.cumsum(shares, dtype=np.float64)
    before = np.arange(1, count)
    mean_before = sums[:-1] / before
    mean_after = (sums[-1] - sums[:-1]) / (count - before)
    rise = np.maximum(mean_after - mean_before, 0.0)
    best = int(np.argmax(rise**2 * before * (count - before)))
    return float(times_s[best + 1]), float(rise[best])
