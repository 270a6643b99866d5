"""Samples whose informative features are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification

INFORMATIVE, ALL = 20, 200


def made_samples(count: int, seed: int, classes: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (count, 200), of which the first 20 tell classes apart, the others being noise; and the classes."""
    features, truth = make_classification(
        count,
        ALL,
        n_informative=INFORMATIVE,
        n_redundant=0,
        n_classes=classes,
        n_clusters_per_class=1,
        shuffle=False,
        random_state=seed,
    )
    order = np.random.default_rng(seed).permutation(count)
    return features[order].astype(np.float32), truth[order].astype(np.int64)
