"""SMOTE keeps the real samples and puts synthetic ones on the lines between them."""

from __future__ import annotations

import numpy as np
import pytest

from seqfer.classic.smote import check_counts, counted, oversampled
from seqfer.errors import OptionError
from seqfer.labels import LabelSet

LABELS = LabelSet(("angry", "happy", "sad"))


def test_every_class_becomes_as_frequent_as_the_most_frequent_one() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [6, 20, 9])
    features = (rng.normal(size=(35, 5)) + 10 * truth[:, None]).astype(np.float32)
    more, classes = oversampled(features, truth, LABELS, 5, seed=1)
    assert more.dtype == np.float32
    assert classes.dtype == np.int64
    assert np.bincount(classes).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(more[:35], features)
    np.testing.assert_array_equal(classes[:35], truth)
    for sample, label in zip(more[35:], classes[35:], strict=True):
        own = features[truth == label]
        assert on_a_line(sample, own), "a synthetic sample lies between two of its class"
    again, _ = oversampled(features, truth, LABELS, 5, seed=1)
    np.testing.assert_array_equal(more, again)


def on_a_line(sample: np.ndarray, samples: np.ndarray) -> bool:
    for start in samples:
        ways = samples - start
        lengths = (ways**2).sum(1)
        share = ((sample - start) @ ways.T) / np.where(lengths > 0, lengths, 1)
        off = np.abs(start + share[:, None] * ways - sample).max(1)
        if ((off < 1e-4) & (share >= -1e-4) & (share <= 1 + 1e-4)).any():
            return True
    return False


def test_equal_classes_and_a_single_one_are_left_alone() -> None:
    features = np.arange(12, dtype=np.float32).reshape(6, 2)
    for truth in (np.zeros(6, np.int64), np.array([0, 1, 2, 0, 1, 2])):
        more, classes = oversampled(features, truth, LABELS, 5, seed=0)
        np.testing.assert_array_equal(more, features)
        np.testing.assert_array_equal(classes, truth)


@pytest.mark.parametrize(
    ("counts", "neighbours", "message"),
    [
        ({"angry": 5, "happy": 9}, 5, "'angry' has 5 clips, but SMOTE by 5 neighbours needs at least 6"),
        ({"angry": 4, "happy": 9, "sad": 3}, 5, "'sad' has 3 clips"),
        ({"angry": 6, "happy": 9}, 5, ""),
        ({"angry": 3, "happy": 3}, 5, ""),  # nothing to add
        ({"angry": 2, "happy": 9}, 1, ""),
    ],
)
def test_classes_with_too_few_clips_are_named(counts: dict[str, int], neighbours: int, message: str) -> None:
    if not message:
        check_counts(counts, neighbours)
        return
    with pytest.raises(OptionError, match=message):
        check_counts(counts, neighbours)


def test_counted() -> None:
    assert counted(["sad", "happy", "sad"]) == {"happy": 1, "sad": 2}
