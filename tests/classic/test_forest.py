"""A stored forest says what scikit-learn's says, and a damaged one is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from seqfer.classic.forest import Forest, grow_forest
from seqfer.errors import ModelError
from tests.classic.made_samples import made_samples


@settings(deadline=None, max_examples=15)
@given(classes=st.integers(2, 7), trees=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_probabilities_are_those_of_scikit_learn(classes: int, trees: int, seed: int) -> None:
    features, truth = made_samples(300, seed % 1000, classes)
    # Values that repeat lie exactly on thresholds.
    features = np.round(features, 1)
    known, unseen = slice(0, 100), slice(100, None)
    forest = grow_forest(features[known], truth[known], trees, seed)
    reference = RandomForestClassifier(trees, random_state=seed).fit(features[known], truth[known])
    expected = reference.predict_proba(features[unseen])
    np.testing.assert_allclose(forest.probabilities(features[unseen]), expected, atol=1e-12)


def test_more_samples_than_are_read_at_once() -> None:
    features, truth = made_samples(2500, 0)
    forest = grow_forest(features[:100], truth[:100], 5, 0)
    found = forest.probabilities(features)
    assert found.shape == (2500, 4)
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_array_equal(found[2000:2010], forest.probabilities(features[2000:2010]))


def test_a_single_leaf() -> None:
    forest = grow_forest(np.ones((4, 2), np.float32), np.array([0, 1, 1, 1]), 3, 0)
    assert repr(forest) == "Forest(3 trees, 3 nodes)"
    assert forest.probabilities(np.zeros((2, 2), np.float32)).shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": np.zeros(1, np.float32)}, "do not fit each other"),
        ({"roots": np.zeros(0, np.int32)}, "do not fit each other"),
        ({"children": np.zeros((7, 2), np.int32)}, "do not fit each other"),
        ({"roots": np.array([10**6], np.int32)}, "point to where nothing is"),
        ({"outcome": -1}, "point to where nothing is"),
        ({"feature": -1}, "point to where nothing is"),
        ({"children": 0}, "point to where nothing is"),  # a way that leads back would never end
    ],
)
def test_arrays_that_cannot_be_walked_are_refused(changes: dict, message: str) -> None:
    features, truth = made_samples(60, 0)
    forest: Forest = grow_forest(features, truth, 2, 0)
    arrays = {
        name: np.full_like(getattr(forest, name), value) if isinstance(value, int) else value
        for name, value in changes.items()
    }
    with pytest.raises(ModelError, match=message):
        replace(forest, **arrays)
