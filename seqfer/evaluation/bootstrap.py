"""95 % intervals by resampling whole subjects: their clips resemble each other, so they come and go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqfer.evaluation.metrics import confusion_matrix, metrics

RESAMPLES = 2000
FIGURES = ("accuracy", "uar", "macro_f1")


def bootstrap_intervals(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    units: NDArray[np.int64],
    labels: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (Efron & Tibshirani, 1993, ch. 13) of accuracy, UAR and macro F1.

    Args:
        truth, predicted: (N,) class indices.
        units: (N,) which samples are drawn together, from 0 without gaps: subjects, or the samples themselves.
        labels: K.
        resamples: how often as many units as there are get drawn with replacement.
        seed: of the draws.
    """
    drawn = draw(truth, predicted, units, labels, resamples, seed)
    figures = figures_of(drawn, confusion_matrix(truth, predicted, labels))
    return {name: interval(values) for name, values in figures.items()}


def draw(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    units: NDArray[np.int64],
    labels: int,
    resamples: int,
    seed: int,
) -> NDArray[np.int64]:
    """Confusion matrices (R, K, K) of resampled units; the same seed draws the same units for any predictions."""
    count = int(units.max()) + 1
    by_unit = np.zeros((count, labels * labels), np.int64)
    np.add.at(by_unit, (units, truth * labels + predicted), 1)
    generator = np.random.default_rng(seed)
    # Few at a time: with many units, all draws at once would fill the memory.
    matrices = [generator.multinomial(count, np.full(count, 1 / count), 1)[0] @ by_unit for _ in range(resamples)]
    return np.asarray(matrices, np.int64).reshape(resamples, labels, labels)


def figures_of(matrices: NDArray[np.int64], whole: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Accuracy, UAR and macro F1 of each of many resamples, as `metrics` has them.

    A class that few subjects show is missing in some resamples. It keeps the recall and F1 of the whole sample
    there: a mean over the other classes would be another figure, far from this one if the class is hard.

    Args:
        matrices: (R, K, K) confusion matrices.
        whole: (K, K) of the sample that they were drawn from.
    """
    figures = metrics(whole)
    support, predicted = matrices.sum(2), matrices.sum(1)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    recall = np.where(support > 0, hits / np.maximum(support, 1), figures.recall)
    f1 = np.where(support > 0, 2 * hits / np.maximum(support + predicted, 1), figures.f1)
    occurs = figures.support > 0
    return {
        "accuracy": hits.sum(1) / support.sum(1),
        "uar": recall[:, occurs].mean(1),
        "macro_f1": f1[:, occurs].mean(1),
    }


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
