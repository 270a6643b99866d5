"""SMOTE: synthetic samples of the rarer classes, each on the line between a sample and one of its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.labels import LabelSet

REMEDY = "lower smote.neighbours, or set smote.on to false"


def check_counts(counts: Mapping[str, int], neighbours: int, remedy: str = REMEDY) -> None:
    """Raise OptionError if a class is to get synthetic samples but has too few of its own.

    Args:
        counts: samples of each class, by its label.
        neighbours: of a sample, towards one of which a synthetic sample is made.
        remedy: what to do about it, for the error.
    """
    most = max(counts.values())
    short = {label: count for label, count in counts.items() if count < min(most, neighbours + 1)}
    if short:
        label, count = min(short.items(), key=lambda entry: entry[1])
        raise OptionError(
            f"{label!r} has {count} clips, but SMOTE by {neighbours} neighbours needs at least {neighbours + 1}; "
            + remedy
        )


def oversampled(
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: LabelSet,
    neighbours: int,
    seed: int,
    remedy: str = REMEDY,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Samples to which synthetic ones are added until every class has as many as the most frequent one.

    Chawla et al., Journal of Artificial Intelligence Research 2002.

    Args:
        features: (N, D).
        truth: (N,) class indices.
        labels: of the classes, for an error.
        neighbours: of a sample, towards one of which a synthetic sample is made.
        seed: of all chance.
        remedy: what to do about a class with too few samples, for the error.

    Returns:
        Features (M, D) float32 and class indices (M,); the first N are those that were given.

    Raises:
        OptionError: a class has too few samples.
    """
    from imblearn.over_sampling import SMOTE  # type: ignore[import-untyped]

    check_counts(counted(labels.names[k] for k in truth), neighbours, remedy)
    if len(np.unique(truth)) < 2:
        return features, truth  # a single class is as frequent as any
    more, classes = SMOTE(k_neighbors=neighbours, random_state=seed).fit_resample(features, truth)
    return np.asarray(more, np.float32), np.asarray(classes, np.int64)


def counted(labels: Iterable[str]) -> dict[str, int]:
    """How often each label occurs."""
    names, counts = np.unique(list(labels), return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}
