"""Whether probabilities mean what they say: of the clips read with 0.8, four in five should be read rightly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

BINS = 15
TEMPERATURES = (0.02, 20.0)  # beyond them something else is wrong; 20 can be taken back


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


def fit_temperature(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature by which logits are to be divided so that probabilities fit best (Guo et al., ICML 2017).

    Args:
        probabilities: (N, K) of clips that the model has not learnt from.
        truth: (N,) class indices.

    Returns:
        The one in [0.02, 20] with the lowest negative log likelihood; 1 leaves the model as it is.
    """
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_temperature: log_loss(soften(probabilities, float(np.exp(log_temperature))), truth),
        bounds=(low, high),
        method="bounded",
    )
    return float(np.exp(found.x))


def soften(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """What (N, K) probabilities become when the logits behind them are divided by a temperature."""
    logits = np.log(np.maximum(probabilities, np.finfo(float).tiny)) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)


def log_loss(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Mean negative log likelihood of the truth (N,) under (N, K) probabilities."""
    likelihood = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(likelihood, np.finfo(float).tiny)).mean())
