"""A random forest as arrays: grown by scikit-learn, stored and read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer.errors import ModelError
from seqfer.machine import usable_cores

SAMPLES_AT_ONCE = 1024


@dataclass(frozen=True)
class Forest:
    """All trees of a forest, node after node, those of a tree from its root on.

    Attributes:
        roots: (T,) int32, where each tree begins.
        feature: (M,) int32, which of a sample's features a node looks at.
        threshold: (M,) float32.
        children: (M, 2) int32, where a sample goes on whose feature is at most the threshold, and where it does
            else; at a leaf both are the leaf.
        outcome: (M,) int32, a leaf's row of `distributions`.
        distributions: (U, K) float64, each row sums to 1: how the classes share the training samples of a leaf.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    children: NDArray[np.int32]
    outcome: NDArray[np.int32]
    distributions: NDArray[np.float64]

    def __post_init__(self) -> None:
        nodes, rows = len(self.feature), len(self.distributions)
        shapes = (self.threshold.shape, self.children.shape, self.outcome.shape)
        if shapes != ((nodes,), (nodes, 2), (nodes,)) or self.distributions.ndim != 2 or not len(self.roots):
            raise ModelError("the forest's arrays do not fit each other")
        # From parents to children numbers grow, so that every way ends.
        forward = (self.children >= np.arange(nodes)[:, None]).all() and (self.children < nodes).all()
        within = (
            (ids >= 0).all() and (ids < end).all() for ids, end in ((self.roots, nodes), (self.outcome, rows))
        )
        if not forward or not all(within) or (self.feature < 0).any():
            raise ModelError("the forest's arrays point to where nothing is")

    def __repr__(self) -> str:
        return f"Forest({len(self.roots)} trees, {len(self.feature)} nodes)"

    def probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Class probabilities (N, K) of samples (N, D): the mean over the trees of what their leaves hold."""
        parts = [samples[i : i + SAMPLES_AT_ONCE] for i in range(0, len(samples), SAMPLES_AT_ONCE)]
        found = [self.distributions[self.outcome[self._leaves(part)]].sum(1) for part in parts]
        return np.asarray(np.concatenate(found) / len(self.roots), np.float64)

    def _leaves(self, samples: NDArray[np.float32]) -> NDArray[np.int32]:
        """The leaf (N, T) of each sample in each tree."""
        rows = np.arange(len(samples))[:, None]
        nodes: NDArray[np.int32] = np.broadcast_to(self.roots, (len(samples), len(self.roots)))
        while True:
            above = samples[rows, self.feature[nodes]] > self.threshold[nodes]
            below: NDArray[np.int32] = self.children[nodes, above.astype(np.intp)]
            if (below == nodes).all():
                return below
            nodes = below


def grow_forest(features: NDArray[np.float32], truth: NDArray[np.int64], trees: int, seed: int) -> Forest:
    """Grow a random forest (Breiman, Machine Learning 2001) with scikit-learn's own settings.

    Args:
        features: (N, D).
        truth: (N,) class indices, of which each from 0 to the largest occurs.
        trees: their number.
        seed: of all chance; the same gives the same forest, on however many cores.
    """
    from sklearn.ensemble import RandomForestClassifier

    grown = RandomForestClassifier(trees, random_state=seed, n_jobs=usable_cores()).fit(features, truth)
    parts = [tree.tree_ for tree in grown.estimators_]
    sizes = [part.node_count for part in parts]
    roots = np.cumsum([0, *sizes[:-1]])

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    leaf = joined("children_left") < 0
    # Most leaves of a forest that is grown to the end hold a single class, so few rows are enough for all.
    distributions, rows = np.unique(joined("value")[leaf, 0], axis=0, return_inverse=True)
    outcome = np.zeros(len(leaf), np.int32)
    outcome[leaf] = rows.ravel()
    children = np.stack([joined("children_left"), joined("children_right")], 1) + np.repeat(roots, sizes)[:, None]
    return Forest(
        roots=roots.astype(np.int32),
        feature=np.where(leaf, 0, joined("feature")).astype(np.int32),
        threshold=_rounded_down(np.where(leaf, 0, joined("threshold"))),
        children=np.where(leaf[:, None], np.arange(len(leaf))[:, None], children).astype(np.int32),
        outcome=outcome,
        distributions=np.ascontiguousarray(distributions, np.float64),
    )


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """As float32, so that a float32 value is at most the one if and only if it is at most the other."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
