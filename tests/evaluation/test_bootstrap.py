from __future__ import annotations

import numpy as np
import pytest

from seqfer.evaluation.bootstrap import bootstrap_intervals, draw, figures_of, interval
from seqfer.evaluation.metrics import metrics, wilson_interval


def answers(count: int, labels: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, labels, count)
    predicted = np.where(generator.random(count) < right, truth, generator.integers(0, labels, count))
    return truth, predicted


def test_figures_of_many_matrices_are_those_of_each() -> None:
    truth, predicted = answers(100, 5, 0.5)
    matrices = draw(truth, predicted, np.arange(100), 5, resamples=50, seed=1)
    assert (matrices.sum(2) > 0).all()  # no class is missing
    many = figures_of(matrices, matrices.sum(0))
    for index, matrix in enumerate(matrices):
        one = metrics(matrix)
        assert (many["accuracy"][index], many["uar"][index], many["macro_f1"][index]) == pytest.approx(
            (one.accuracy, one.uar, one.macro_f1), abs=1e-12
        )


def test_independent_clips_have_about_the_binomial_interval() -> None:
    truth, predicted = answers(800, 4, 0.6)
    low, high = bootstrap_intervals(truth, predicted, np.arange(800), 4)["accuracy"]
    expected = wilson_interval(int((truth == predicted).sum()), 800)
    assert (low, high) == pytest.approx(expected, abs=0.008)


def test_clips_that_hang_together_widen_the_interval() -> None:
    # Twenty subjects of forty clips, each answered all rightly or all wrongly.
    truth = np.zeros(800, np.int64)
    subjects = np.repeat(np.arange(20), 40)
    predicted = (subjects % 2).astype(np.int64)
    alone = bootstrap_intervals(truth, predicted, np.arange(800), 2)["accuracy"]
    together = bootstrap_intervals(truth, predicted, subjects, 2)["accuracy"]
    assert alone[1] - alone[0] < 0.08
    assert together[1] - together[0] > 0.3
    low, high = wilson_interval(10, 20)
    assert together == pytest.approx((low, high), abs=0.06)


def test_a_class_that_a_resample_lacks_keeps_its_figures() -> None:
    """Of twelve subjects one alone shows the second class, and is never recognised: UAR cannot pass one half."""
    subjects = np.repeat(np.arange(12), 10)
    truth = (np.arange(120) >= 115).astype(np.int64)
    predicted = np.zeros(120, np.int64)
    assert bootstrap_intervals(truth, predicted, subjects, 2)["uar"] == (0.5, 0.5)
    missing = np.array([[[110, 0, 0], [0, 0, 0], [0, 0, 0]]])
    whole = np.array([[110, 0, 0], [2, 6, 2], [0, 0, 0]])
    found = figures_of(missing, whole)
    assert found["uar"] == pytest.approx([(1 + 0.6) / 2])
    assert found["macro_f1"] == pytest.approx([(1 + 0.75) / 2])


def test_one_unit_has_no_spread() -> None:
    truth, predicted = answers(30, 3, 0.5)
    for low, high in bootstrap_intervals(truth, predicted, np.zeros(30, np.int64), 3).values():
        assert low == high


def test_the_same_seed_draws_the_same_units_for_any_predictions() -> None:
    truth, one = answers(60, 3, 0.5)
    _, other = answers(60, 3, 0.9, seed=7)
    first, second = (draw(truth, predicted, np.arange(60), 3, 20, seed=3) for predicted in (one, other))
    assert (first.sum(2) == second.sum(2)).all()  # the same truths were drawn


def test_an_interval_leaves_out_a_fortieth_on_either_side() -> None:
    assert interval(np.arange(1001.0)) == (25.0, 975.0)
