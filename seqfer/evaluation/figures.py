"""Pictures of an evaluation: confusion matrices, the reliability diagram, the most confident mistakes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqfer.evaluation.calibration import Reliability
from seqfer.labels import LabelSet

CELL_IN = 0.72
DARK = 0.55  # share of a row from which its cell is dark enough for white letters
SHEET_COLUMNS = 6


def plot_confusion_matrix(matrix: NDArray[np.int64], labels: LabelSet, title: str, shares: bool) -> Figure:
    """A confusion matrix (K, K), rows are the truth; colours are shares of the row.

    Args:
        matrix: counts.
        labels: K names.
        title: above it.
        shares: write percentages of the row into the cells, with the counts below, instead of counts alone.
    """
    support = matrix.sum(1, keepdims=True)
    rows = matrix / np.maximum(support, 1)
    size = CELL_IN * len(labels)
    figure = Figure(figsize=(size + 2.2, size + 1.7), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        if support[row, 0] == 0:
            text = "–"
        else:
            text = f"{100 * rows[row, column]:.1f}\n({count})" if shares else str(count)
        colour = "white" if rows[row, column] > DARK else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    names = [f"{name}\n(n = {count})" for name, count in zip(labels, support[:, 0], strict=True)]
    axes.set_xticks(range(len(labels)), list(labels), rotation=35, ha="right", fontsize=9)
    axes.set_yticks(range(len(labels)), names, fontsize=9)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    axes.set_title(f"{title}\n{'% of each row (clips)' if shares else 'clips'}", fontsize=10)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def plot_reliability(found: Reliability, title: str) -> Figure:
    """Accuracy over confidence, with how many clips stand behind each bar."""
    bins = len(found.count)
    edges = np.arange(bins) / bins
    figure = Figure(figsize=(5.2, 5.2), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--", label="as it should be")
    filled = found.count > 0
    upper.bar(edges[filled], found.accuracy[filled], 1 / bins, align="edge", color="#4477AA", edgecolor="white")
    upper.plot(found.confidence[filled], found.accuracy[filled], "o", color="#EE6677", markersize=4)
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.set_title(f"{title}\nexpected calibration error {100 * found.ece:.1f} %", fontsize=10)
    upper.legend(fontsize=8, loc="lower right")
    lower.bar(edges, found.count, 1 / bins, align="edge", color="#BBBBBB", edgecolor="white")
    lower.set(xlabel="confidence (probability of the leading expression)", ylabel="clips")
    return figure


def plot_mistakes(crops: list[NDArray[np.uint8]], captions: list[str], title: str) -> Figure:
    """A contact sheet of face crops (S, S, 1 or 3), each with its caption."""
    rows = max(1, -(-len(crops) // SHEET_COLUMNS))
    figure = Figure(figsize=(SHEET_COLUMNS * 1.6, rows * 2.0 + 0.5), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(rows, SHEET_COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, crop, caption in zip(panels, crops, captions, strict=False):
        axes.imshow(crop[..., 0] if crop.shape[2] == 1 else crop, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=7)
    return figure
