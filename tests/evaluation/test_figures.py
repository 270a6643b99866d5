from __future__ import annotations

import numpy as np

from seqfer.evaluation.calibration import reliability
from seqfer.evaluation.figures import plot_confusion_matrix, plot_mistakes, plot_reliability
from tests.evaluation.examples import LABELS, predictions

MATRIX = np.array([[8, 2, 0], [0, 5, 5], [0, 0, 0]])


def texts(shares: bool) -> list[str]:
    (axes,) = plot_confusion_matrix(MATRIX, LABELS, "a title", shares).axes
    return [text.get_text() for text in axes.texts]


def test_cells_hold_counts_or_shares_of_the_truth_and_a_row_without_clips_says_so() -> None:
    assert texts(shares=False) == ["8", "2", "0", "0", "5", "5", "–", "–", "–"]
    assert texts(shares=True)[:3] == ["80.0\n(8)", "20.0\n(2)", "0.0\n(0)"]


def test_rows_are_the_truth() -> None:
    (axes,) = plot_confusion_matrix(MATRIX, LABELS, "a title", True).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "truth")
    assert axes.get_yticklabels()[0].get_text() == "angry\n(n = 10)"
    assert axes.get_title().startswith("a title")


def test_the_reliability_diagram_names_its_error() -> None:
    made = predictions()
    found = reliability(made.probabilities, made.truth)
    upper, lower = plot_reliability(found, "a title").axes
    assert f"{100 * found.ece:.1f} %" in upper.get_title()
    assert sum(bar.get_height() for bar in lower.containers[0]) == len(made)


def test_a_sheet_has_a_place_for_every_face_and_is_drawn_without_any() -> None:
    faces = [np.zeros((48, 48, 1), np.uint8), np.zeros((48, 48, 3), np.uint8)] * 4
    figure = plot_mistakes(faces, [f"face {k}" for k in range(8)], "mistakes")
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [f"face {k}" for k in range(8)]
    plot_mistakes([], [], "mistakes").canvas.draw()
