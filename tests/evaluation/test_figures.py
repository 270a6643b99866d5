from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from seqfer.evaluation.calibration import Reliability, reliability
from seqfer.evaluation.figures import (
    plot_classes,
    plot_confusion_matrix,
    plot_matrices,
    plot_mistakes,
    plot_reliability,
)
from seqfer.labels import FER7, LabelSet
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


OTHER = np.array([[10, 0, 0], [4, 6, 0], [0, 0, 0]])


def test_two_matrices_stand_side_by_side_under_one_scale() -> None:
    figure = plot_matrices([MATRIX, OTHER], LABELS, ["first", "second"], shares=False)
    first, second, *_ = figure.axes
    assert [axes.get_title() for axes in (first, second)] == ["first", "second"]
    assert [text.get_text() for text in second.texts] == ["10", "0", "0", "4", "6", "0", "–", "–", "–"]
    for axes, matrix in ((first, MATRIX), (second, OTHER)):
        (image,) = axes.images
        assert image.get_clim() == (0, 10)  # counts, up to the largest of both
        assert np.asarray(image.get_array()).tolist() == matrix.tolist()
    assert (first.get_ylabel(), second.get_ylabel()) == ("truth", "")

    figure = plot_matrices([MATRIX, OTHER], LABELS, ["first", "second"], shares=True)
    first, second, *_ = figure.axes
    assert [text.get_text() for text in second.texts][3:5] == ["40.0\n(4)", "60.0\n(6)"]
    assert {axes.images[0].get_clim() for axes in (first, second)} == {(0, 100)}


@pytest.mark.parametrize(
    "labels",
    [LabelSet(("happy", "sad")), LabelSet(FER7.names[:6]), FER7, LabelSet((*FER7.names, "contempt"))],
    ids=len,
)
@pytest.mark.parametrize("count", [0, 1234])
def test_matrices_of_any_size_are_drawn_with_any_names(labels: LabelSet, count: int) -> None:
    matrix = np.diag(np.full(len(labels), count))
    figure = plot_matrices([matrix, matrix], labels, ["a name that goes on " * 6, "$x$_{y$"], shares=False)
    figure.canvas.draw()
    first, second, *_ = figure.axes
    assert second.get_title() == "$x$_{y$"
    assert first.get_position().height == pytest.approx(second.get_position().height)
    drawn = [axes.get_window_extent() for axes in (first, second)]
    assert min(box.width for box in drawn) / len(labels) > 45  # pixels: four digits have room
    title = first.title.get_window_extent()
    assert title.x0 > 0
    assert title.x1 < second.title.get_window_extent().x0


def test_the_classes_of_two_models_stand_below_each_other() -> None:
    one, other = np.array([0.5, 0.25, 1.0]), np.array([0.75, 0.0, 0.125])
    figure = plot_classes({"precision": [one, other], "F1": [other, one]}, LABELS, ["_first", "$x$_{y$ " * 12])
    figure.canvas.draw()
    precision, f1 = figure.axes
    assert [axes.get_title() for axes in (precision, f1)] == ["precision, %", "F1, %"]
    assert [tick.get_text() for tick in precision.get_yticklabels()] == list(LABELS)
    for axes, shares in ((precision, (one, other)), (f1, (other, one))):
        bars = [(bar.get_y(), bar.get_width()) for bar in axes.patches if isinstance(bar, Rectangle)]
        assert [width for _, width in bars] == [100 * share for own in shares for share in own]
        written = [(round(text.get_position()[1]), text.get_text()) for text in axes.texts]
        assert written == [(k, f"{100 * share:.1f}") for own in shares for k, share in enumerate(own)]
        assert all(a < b for (a, _), (b, _) in zip(bars[:3], bars[3:], strict=True))
    (legend,) = figure.legends
    assert legend.get_texts()[0].get_text() == "_first"
    box = legend.get_window_extent()
    assert box.x0 > 0
    assert box.x1 < figure.bbox.width


def test_a_class_without_clips_has_no_bar() -> None:
    shares = np.array([0.5, np.nan, 1.0])
    figure = plot_classes({"F1": [shares]}, LABELS, ["one"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["50.0", "–", "100.0"]


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


def test_rows_of_a_drawn_matrix_are_the_truth() -> None:
    (axes,) = plot_confusion_matrix(MATRIX, LABELS, "t", False).axes
    assert {text.get_position(): text.get_text() for text in axes.texts}[(1, 0)] == "2"  # x, then y
    assert np.asarray(axes.images[0].get_array())[0].tolist() == [0.8, 0.2, 0.0]


def test_bars_of_reliability_are_the_accuracy_in_each_bin() -> None:
    found = Reliability(np.array([4, 0, 6]), np.array([0.2, 0, 0.9]), np.array([0.25, 0, 0.5]))
    upper = plot_reliability(found, "t").axes[0]
    bars = [bar for bar in upper.patches if isinstance(bar, Rectangle) and bar.get_height() > 0]
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 2 / 3])
    assert [bar.get_height() for bar in bars] == [0.25, 0.5]
