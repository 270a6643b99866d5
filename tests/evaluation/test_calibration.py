from __future__ import annotations

import numpy as np
import pytest

from seqfer.evaluation.calibration import BINS, reliability


def sure(confidences: list[float]) -> np.ndarray:
    """Probabilities of two classes, the first one leading."""
    first = np.array(confidences)
    return np.stack([first, 1 - first], 1)


@pytest.mark.parametrize(
    ("confidences", "truth", "ece"),
    [
        ([1.0, 1.0], [0, 0], 0.0),
        ([1.0, 1.0], [1, 1], 1.0),
        ([0.8] * 5, [0, 0, 0, 0, 1], 0.0),  # four of five are right, as promised
        ([0.8] * 5, [0, 0, 1, 1, 1], 0.4),
        ([0.6, 1.0], [1, 0], 0.3),  # one bin is off by 0.6, the other by nothing
    ],
)
def test_the_expected_calibration_error(confidences: list[float], truth: list[int], ece: float) -> None:
    assert reliability(sure(confidences), np.array(truth)).ece == pytest.approx(ece)


def test_bins_hold_their_upper_edges_and_every_sample() -> None:
    found = reliability(sure([0.6, 0.61, 1.0]), np.array([0, 0, 0]))
    assert len(found.count) == BINS
    assert found.count[8] == 1  # 0.6 is 9 / 15
    assert found.count[9] == 1
    assert found.count[14] == 1
    assert found.count.sum() == 3
    assert found.confidence[found.count == 0].tolist() == [0.0] * 12
