from __future__ import annotations

import numpy as np
import pytest

from seqfer.evaluation.calibration import BINS, fit_temperature, log_loss, reliability, soften


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


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_a_temperature_is_found_again(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (honest.cumsum(1) > rng.random((20_000, 1))).argmax(1)
    shown = soften(honest, 1 / true_temperature)  # surer of itself by that factor
    found = fit_temperature(shown, truth)
    assert found == pytest.approx(true_temperature, rel=0.04)
    assert reliability(soften(shown, found), truth).ece < 0.01
    assert log_loss(soften(shown, found), truth) <= log_loss(shown, truth)


def test_a_temperature_changes_no_answer_and_stands_for_dividing_logits() -> None:
    logits = np.random.default_rng(1).normal(size=(50, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    softer = soften(probabilities, 3.0)
    expected = np.exp(logits / 3) / np.exp(logits / 3).sum(1, keepdims=True)
    assert softer == pytest.approx(expected)
    assert (softer.argmax(1) == probabilities.argmax(1)).all()


def test_a_probability_of_zero_costs_much_but_not_everything() -> None:
    certain = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert np.isfinite(log_loss(certain, np.array([1, 0])))
    assert np.isfinite(soften(certain, 2.0)).all()


@pytest.mark.parametrize("temperature", [0.1, 10.0])
def test_temperatures_far_from_1_are_found_too(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, 3)) * 2
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (honest.cumsum(1) > rng.random((5000, 1))).argmax(1)
    assert fit_temperature(soften(honest, 1 / temperature), truth) == pytest.approx(temperature, rel=0.1)
