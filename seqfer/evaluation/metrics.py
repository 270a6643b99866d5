"""Figures of merit from a confusion matrix of counts, and their intervals.

A confusion matrix is (K, K) integer: rows are the truth, columns the prediction. Every ratio is derived from
counts; averages are never averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054  # the normal distribution's 97.5th percentile


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], labels: int) -> NDArray[np.int64]:
    """Counts (K, K) of truth (rows) against prediction (columns).

    Args:
        truth: (N,) class indices in [0, K).
        predicted: (N,) class indices in [0, K).
        labels: K.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth and prediction must both be (N,): {truth.shape}, {predicted.shape}")
    if len(truth) and not (min(truth.min(), predicted.min()) >= 0 and max(truth.max(), predicted.max()) < labels):
        raise ValueError(f"class indices must lie in [0, {labels})")
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


@dataclass(frozen=True)
class Metrics:
    """What a confusion matrix says.

    Attributes:
        count: number of samples.
        accuracy: share answered rightly (WAR, weighted average recall).
        uar: unweighted average recall over the classes that occur in the truth.
        macro_f1: unweighted mean F1 over the classes that occur in the truth: a model that knows another
            expression, and names it wrongly, has lost a recall already.
        macro_precision: the same of precision.
        weighted_f1: mean F1, each class weighted by its support.
        weighted_precision: the same of precision; of recall it is the accuracy.
        precision, recall, f1: (K,) per class; 0 where the denominator is 0, as scikit-learn has it.
        support: (K,) samples of each class in the truth.
    """

    count: int
    accuracy: float
    uar: float
    macro_f1: float
    macro_precision: float
    weighted_f1: float
    weighted_precision: float
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    def of_classes(self, name: str) -> NDArray[np.float64]:
        """Precision, recall or f1 (K,) as it is shown: NaN for a class that the truth has no sample of."""
        return np.where(self.support > 0, getattr(self, name), np.nan)


def metrics(matrix: NDArray[np.int64]) -> Metrics:
    """The figures of merit of a confusion matrix (K, K) with at least one sample."""
    support, predicted, hits = matrix.sum(1), matrix.sum(0), np.diag(matrix)
    count = int(support.sum())
    if count == 0:
        raise ValueError("an empty confusion matrix has no figures")
    recall, precision = _ratio(hits, support), _ratio(hits, predicted)
    f1 = _ratio(2 * hits, support + predicted)
    occurs = support > 0
    return Metrics(
        count=count,
        accuracy=float(hits.sum() / count),
        uar=float(recall[occurs].mean()),
        macro_f1=float(f1[occurs].mean()),
        macro_precision=float(precision[occurs].mean()),
        weighted_f1=float(f1 @ support / count),
        weighted_precision=float(precision @ support / count),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
    )


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 22, 1927): `hits` of `count` independent samples."""
    if not 0 <= hits <= count or count == 0:
        raise ValueError(f"not a share: {hits} of {count}")
    share = hits / count
    scale = 1 / (1 + Z_95**2 / count)
    centre = (share + Z_95**2 / (2 * count)) * scale
    spread = Z_95 * scale * sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def gain_interval(won: int, lost: int, count: int) -> tuple[float, float]:
    """95 % interval of a second accuracy less a first on the same samples (Bonett & Price, BJMSP 65, 2012).

    Args:
        won: samples that only the second reading gets right.
        lost: samples that only the first one gets right.
        count: all samples.
    """
    if won < 0 or lost < 0 or count < max(1, won + lost):
        raise ValueError(f"no paired counts: {won} and {lost} of {count}")
    up, down = (won + 1) / (count + 2), (lost + 1) / (count + 2)
    spread = Z_95 * sqrt((up + down - (up - down) ** 2) / (count + 2))
    return max(-1.0, up - down - spread), min(1.0, up - down + spread)


def uar_interval(matrix: NDArray[np.int64]) -> tuple[float, float]:
    """95 % interval of the UAR: classes are sampled apart, so their binomial variances add."""
    support = matrix.sum(1)
    present = support > 0
    # One success and one failure more (Agresti & Caffo, 2000): a class answered without error keeps a spread.
    recall = (np.diag(matrix)[present] + 1) / (support[present] + 2)
    deviation = float(np.sqrt((recall * (1 - recall) / support[present]).sum()) / present.sum())
    uar = metrics(matrix).uar
    return max(0.0, uar - Z_95 * deviation), min(1.0, uar + Z_95 * deviation)


def _ratio(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
