from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from seqfer.evaluation.metrics import confusion_matrix, gain_interval, metrics, uar_interval, wilson_interval


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 200), st.integers(2, 8), st.integers(0, 2**31))
def test_agrees_with_scikit_learn(count: int, labels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, labels, count)
    predicted = np.where(generator.random(count) < 0.5, truth, generator.integers(0, labels, count))
    matrix = confusion_matrix(truth, predicted, labels)
    assert (matrix == sk.confusion_matrix(truth, predicted, labels=range(labels))).all()
    figures = metrics(matrix)
    assert figures.count == count
    assert figures.accuracy == pytest.approx(sk.accuracy_score(truth, predicted), abs=1e-12)
    present = np.unique(truth)
    recalls = sk.recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    assert figures.uar == pytest.approx(recalls.mean(), abs=1e-12)
    for average, precision, f1 in (
        ("macro", figures.macro_precision, figures.macro_f1),
        ("weighted", figures.weighted_precision, figures.weighted_f1),
    ):
        expected = sk.precision_recall_fscore_support(
            truth, predicted, labels=present, average=average, zero_division=0
        )
        assert (precision, f1) == pytest.approx((expected[0], expected[2]), abs=1e-12)
    for ours, theirs in zip(
        (figures.precision, figures.recall, figures.f1, figures.support),
        sk.precision_recall_fscore_support(truth, predicted, labels=range(labels), zero_division=0),
        strict=True,
    ):
        assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "predicted", "labels"),
    [([0, 1], [0], 2), ([0, 2], [0, 1], 2), ([-1, 0], [0, 1], 2)],
)
def test_what_is_no_labelling_is_refused(truth: list[int], predicted: list[int], labels: int) -> None:
    with pytest.raises(ValueError, match="must"):
        confusion_matrix(np.array(truth), np.array(predicted), labels)


def test_an_empty_matrix_has_no_figures() -> None:
    with pytest.raises(ValueError, match="empty"):
        metrics(np.zeros((3, 3), np.int64))


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Wilson's score interval, as tabulated by Brown, Cai & DasGupta's formula.
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (2476, 3589, 0.6745, 0.7048)],
)
def test_wilson_interval(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize(("won", "lost", "count"), [(120, 40, 1500), (12, 19, 1500), (3, 0, 40), (0, 0, 40)])
def test_gain_intervals_cover_as_often_as_they_say(won: int, lost: int, count: int) -> None:
    shares = np.array([won, lost, count - won - lost]) / count
    draws = np.random.default_rng(0).multinomial(count, shares, 4000)
    ends = np.array([gain_interval(up, down, count) for up, down, _ in draws])
    covered = (ends[:, 0] <= shares[0] - shares[1]) & (shares[0] - shares[1] <= ends[:, 1])
    assert covered.mean() > 0.93
    assert gain_interval(won, lost, count) == pytest.approx(
        [-end for end in gain_interval(lost, won, count)][::-1]
    )


@pytest.mark.parametrize(("won", "lost", "count"), [(-1, 0, 5), (0, -1, 5), (3, 3, 5), (0, 0, 0)])
def test_gains_without_counts_are_refused(won: int, lost: int, count: int) -> None:
    with pytest.raises(ValueError, match="no paired counts"):
        gain_interval(won, lost, count)


def test_intervals_cover_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    recall, support = np.array([0.9, 0.5, 0.3]), np.array([400, 300, 80])
    covered = 0
    for _ in range(400):
        hits = generator.binomial(support, recall)
        matrix = np.diag(hits)
        matrix[np.arange(3), (np.arange(3) + 1) % 3] = support - hits
        low, high = uar_interval(matrix)
        covered += low <= recall.mean() <= high
    assert 0.92 <= covered / 400 <= 0.98
