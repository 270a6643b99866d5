"""Pictures of an evaluation: confusion matrices, classes, the reliability diagram, the most confident mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from numpy.typing import NDArray

from seqfer.evaluation.calibration import Reliability
from seqfer.labels import LabelSet

CELL_IN = 0.72
DARK = 0.55  # of the colours' range, from which a cell is dark enough for white letters
NARROWEST_IN = 3.2  # of a matrix beside others, so that titles have room
LETTERS_PER_IN = 13  # of a title
SHEET_COLUMNS = 6
ROW_IN, PANEL_IN = 0.24, 3.0  # of a bar, and of the panel of one figure
COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44")  # told apart by the colour-blind too (Tol, 2021)


def plot_confusion_matrix(matrix: NDArray[np.int64], labels: LabelSet, title: str, shares: bool) -> Figure:
    """A confusion matrix (K, K), rows are the truth; colours are shares of the row.

    Args:
        matrix: counts.
        labels: K names.
        title: above it.
        shares: write percentages of the row into the cells, with the counts below, instead of counts alone.
    """
    size = CELL_IN * len(labels)
    figure = Figure(figsize=(size + 2.2, size + 1.7), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    _draw_matrix(axes, matrix, labels, shares, _shares(matrix), 1)
    axes.set_title(f"{title}\n{_units(shares)}", fontsize=10, parse_math=False)
    return figure


def plot_matrices(
    matrices: Sequence[NDArray[np.int64]], labels: LabelSet, titles: Sequence[str], shares: bool
) -> Figure:
    """Confusion matrices of several models on the same clips, side by side under one scale of colours.

    Args:
        matrices: counts (K, K), rows are the truth.
        labels: K names.
        titles: above each.
        shares: colours and cells are percentages of the row, with the counts below; else they are counts.
    """
    side = CELL_IN * len(labels)
    panel = max(side, NARROWEST_IN)
    figure = Figure(figsize=(panel * len(matrices) + 2.8, side + 1.7), dpi=120, layout="constrained")
    row = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    most = 100 if shares else max(1, *(int(matrix.max()) for matrix in matrices))
    for axes, matrix, title in zip(row, matrices, titles, strict=True):
        image = _draw_matrix(axes, matrix, labels, shares, 100 * _shares(matrix) if shares else matrix, most)
        axes.set_title("\n".join(wrap(title, int(panel * LETTERS_PER_IN))), fontsize=10, parse_math=False)
    for axes in row[1:]:
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)
    figure.colorbar(image, cax=row[-1].inset_axes((1.03, 0, 0.12 / side, 1)), label=_units(shares))
    return figure


def plot_classes(
    per_class: Mapping[str, Sequence[NDArray[np.float64]]], labels: LabelSet, titles: Sequence[str]
) -> Figure:
    """Figures of each class by several models, as a table of bars: a panel for each figure, a row for each class.

    Args:
        per_class: for each figure by its name, and for each model, (K,) shares, NaN for none; their bars stand
            below each other.
        labels: K names.
        titles: of the models.
    """
    models = len(titles)
    height = ROW_IN * models * len(labels)
    figure = Figure(figsize=(PANEL_IN * len(per_class) + 1, height + 1.2), dpi=120, layout="constrained")
    row = figure.subplots(1, len(per_class), sharey=True, squeeze=False)[0]
    thickness = 0.8 / models
    for axes, (name, shares) in zip(row, per_class.items(), strict=True):
        for place, (own, colour) in enumerate(zip(shares, COLOURS, strict=False)):
            middles = np.arange(len(labels)) + (place - (models - 1) / 2) * thickness
            axes.barh(middles, 100 * own, 0.9 * thickness, color=colour)
            for middle, share in zip(middles, own, strict=True):
                word, end = ("–", 0.0) if np.isnan(share) else (f"{100 * share:.1f}", 100 * share)
                axes.text(end + 2, middle, word, va="center", fontsize=8)
        axes.set_title(f"{name}, %", fontsize=10)
        axes.set(xlim=(0, 118), xticks=range(0, 101, 25))
        axes.tick_params(length=0, labelsize=9)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    row[0].set_yticks(range(len(labels)), list(labels))
    row[0].invert_yaxis()
    # Patches and not the bars: a title may begin with an underscore, which a bar's legend would leave out.
    keys = [Patch(color=colour) for _, colour in zip(titles, COLOURS, strict=False)]
    names = ["\n".join(wrap(title, int(PANEL_IN * LETTERS_PER_IN))) for title in titles]
    legend = figure.legend(keys, names, loc="outside upper center", ncols=models, fontsize=9, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _draw_matrix(
    axes: Axes, matrix: NDArray[np.int64], labels: LabelSet, shares: bool, shades: NDArray[Any], most: float
) -> AxesImage:
    """Draw counts (K, K), or shares of each row and counts, on colours by shades (K, K) from 0 to `most`."""
    support = matrix.sum(1, keepdims=True)
    rows = _shares(matrix)
    image = axes.imshow(shades, cmap="Blues", vmin=0, vmax=most)
    for (row, column), count in np.ndenumerate(matrix):
        if support[row, 0] == 0:
            text = "–"
        else:
            text = f"{100 * rows[row, column]:.1f}\n({count})" if shares else str(count)
        colour = "white" if shades[row, column] > DARK * most else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    names = [f"{name}\n(n = {count})" for name, count in zip(labels, support[:, 0], strict=True)]
    axes.set_xticks(range(len(labels)), list(labels), rotation=35, ha="right", fontsize=9)
    axes.set_yticks(range(len(labels)), names, fontsize=9)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each count as a share of its row; 0 where the row is empty."""
    return np.asarray(matrix / np.maximum(matrix.sum(1, keepdims=True), 1))


def _units(shares: bool) -> str:
    return "% of each row (clips)" if shares else "clips"


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
    error = f"expected calibration error {100 * found.ece:.1f} %"
    upper.set_title(f"{title}\n{error}", fontsize=10, parse_math=False)
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
