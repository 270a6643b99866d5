"""Whether probabilities mean what they say: of the clips called happy with 0.8, four in five should be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width over [0, 1].

    Attributes:
        count: (B,) samples in each bin.
        confidence: (B,) their mean confidence; 0 where there are none.
        accuracy: (B,) the share of them that is right; 0 where there are none.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance of confidence and accuracy over all samples."""
        return float((self.count * np.abs(self.confidence - self.accuracy)).sum() / self.count.sum())


def reliability(probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = BINS) -> Reliability:
    """The reliability of top-label confidences (Guo et al., ICML 2017).

    Args:
        probabilities: (N, K), N >= 1.
        truth: (N,) class indices.
        bins: B; bin b holds confidences in (b / B, (b + 1) / B].
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    safe = np.maximum(count, 1)
    return Reliability(
        count=count,
        confidence=np.bincount(place, confidence, bins) / safe,
        accuracy=np.bincount(place, right.astype(float), bins) / safe,
    )
