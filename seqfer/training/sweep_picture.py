"""A sweep's picture: above, the accuracy of its cells; below, how each came about over the epochs."""

from __future__ import annotations

from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from seqfer.training.sweep import Cell
from seqfer.training.sweep_results import NAMES, NONE, Outcome, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Paul Tol's "bright" scheme, which readers with any common form of colour blindness can tell apart.
COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
STYLES = ("-", "--", ":", "-.")  # once all colours are taken
PANELS_IN_ROW = 4
WIDEST_LABEL = 26  # characters
DARK = 0.6  # share of the colours' range from which a cell is dark enough for white letters


def plot_sweep(results: Results) -> Figure:
    """Accuracies as points with intervals for one key, as a map for several; curves of validation accuracy.

    The first key's values are the map's columns and the panels of curves, the other keys' its rows and lines.
    """
    from matplotlib.figure import Figure

    sweep = results.sweep
    columns, rows = _columns_and_rows(results)
    several = len(sweep.keys) > 1
    across = min(len(columns), PANELS_IN_ROW) if several else 1
    down = ceil(len(columns) / across) if several else 1
    map_size = (1.5 * len(columns) + 3.2, 0.62 * len(rows) + 1.6) if several else (1.2 * len(rows) + 2.4, 3.4)
    heights = [map_size[1], 2.7 * down]
    width = max(7.2, map_size[0], 2.5 * across + 1.6)
    figure = Figure(figsize=(width, sum(heights) + 0.8), dpi=120, layout="constrained")
    figure.suptitle(_title(results), fontsize=10, parse_math=False)
    upper, lower = figure.subfigures(2, 1, height_ratios=heights)
    if several:
        _draw_map(upper.add_subplot(), results, columns, rows)
    else:
        _draw_points(upper.add_subplot(), results)
    panels = lower.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(columns) if several else 1 :]:
        panel.set_visible(False)
    for position, panel in enumerate(panels[: len(columns)] if several else panels):
        cells = columns[position] if several else sweep.cells
        _draw_curves(panel, results, cells, rows)
        if several:
            panel.set_title(_wrapped(f"{sweep.keys[0]} {cells[0].labels[0]}"), fontsize=9)
        if position % across == 0:
            panel.set_ylabel("validation accuracy, %", fontsize=9)
        if position + across >= len(columns) or not several:
            panel.set_xlabel("epoch", fontsize=9)
            panel.tick_params(labelbottom=True)
    names = ", ".join(sweep.keys[1:] if several else sweep.keys)
    handles = panels[0].get_legend_handles_labels()
    lower.legend(*handles, title=_wrapped(names), loc="outside right upper", fontsize=8, title_fontsize=8)
    return figure


def _columns_and_rows(results: Results) -> tuple[list[list[Cell]], list[str]]:
    """The cells of each value of the first key, and what their rows are called."""
    cells = results.sweep.cells
    if len(results.sweep.keys) == 1:
        return [[cell] for cell in cells], [_wrapped(cell.labels[0]) for cell in cells]
    columns = [[cell for cell in cells if cell.labels[0] == value] for value in results.sweep.values(0)]
    return columns, [_wrapped(", ".join(cell.labels[1:])) for cell in columns[0]]


def _title(results: Results) -> str:
    counts = {figures["clips"] for outcome in results.outcomes.values() if (figures := outcome.figures)}
    clips = f", {' or '.join(f'{count:,}' for count in sorted(counts))} clips" if counts else ""
    best = f"best cell by {NAMES[results.chooses]}: {'framed' if len(results.sweep.keys) > 1 else 'star'}"
    marks = f"{best}; rings: epochs kept; crosses: failed"
    return f"{results.sweep.name}: accuracy on the validation split of {results.data}{clips}\n{marks}"


def _draw_points(axes: Axes, results: Results) -> None:
    """Accuracy with its interval, and UAR, of each value of the only key."""
    cells = results.sweep.cells
    for position, cell in enumerate(cells):
        outcome = results.of(cell)
        if outcome.figures is None or outcome.interval is None:
            axes.annotate(
                "failed" if outcome.failed else NONE,
                (position, 0.03),
                xycoords=("data", "axes fraction"),
                ha="center",
                color="#888888",
                fontsize=9,
            )
            continue
        accuracy, uar = (100 * outcome.figures[name] for name in ("accuracy", "uar"))
        low, high = (100 * bound for bound in outcome.interval)
        best = cell is results.best
        axes.plot([position, position], [low, high], color="#4477AA", linewidth=1.5)
        axes.plot(position, accuracy, "o", color="#4477AA", markersize=9 if best else 6)
        axes.plot(position + 0.12, uar, "D", color="#AA3377", markersize=4)
        text = f"{accuracy:.1f}{' *' if best else ''}"
        axes.annotate(text, (position, accuracy), (-7, 0), textcoords="offset points", ha="right", va="center")
    axes.plot([], [], "o-", color="#4477AA", label="accuracy, 95 % interval")
    axes.plot([], [], "D", color="#AA3377", markersize=4, label="UAR")
    axes.legend(fontsize=8)
    axes.set_xlim(-0.7, len(cells) - 0.3)
    labels = [_wrapped(cell.labels[0]) for cell in cells]
    axes.set_xticks(range(len(cells)), labels, fontsize=9)
    axes.set_xlabel(results.sweep.keys[0])
    axes.set_ylabel("%")
    axes.grid(alpha=0.3, axis="y")


def _draw_map(axes: Axes, results: Results, columns: list[list[Cell]], rows: list[str]) -> None:
    """Accuracy as colour, its interval and the loss as text; a frame around the best cell."""
    from matplotlib.patches import Rectangle

    outcomes = [[results.of(column[row]) for column in columns] for row in range(len(rows))]
    shown = np.array([[100 * o.figures["accuracy"] if o.figures else np.nan for o in row] for row in outcomes])
    found = shown[np.isfinite(shown)]
    widths = [100 * (o.interval[1] - o.interval[0]) for row in outcomes for o in row if o.interval]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 100.0)
    # Colours span an interval at least: what chance explains is not to look like a difference.
    missing = max([0.0, *(width - (high - low) for width in widths)])
    low, high = max(0.0, low - missing / 2), min(100.0, high + missing / 2)
    axes.set_facecolor("#EEEEEE")
    image = axes.imshow(shown, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        outcome = outcomes[row][column]
        dark = np.isfinite(value) and value - low > DARK * (high - low)
        axes.text(
            column,
            row,
            _cell_text(outcome),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )
        if columns[column][row] is results.best:
            frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#EE6677", linewidth=2.5)
            axes.add_patch(frame).set_clip_on(False)
    labels = [_wrapped(column[0].labels[0]) for column in columns]
    axes.set_xticks(range(len(columns)), labels, fontsize=9)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.set_xlabel(results.sweep.keys[0])
    axes.set_ylabel(_wrapped(", ".join(results.sweep.keys[1:])))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.figure.colorbar(image, ax=axes, label="accuracy, %", fraction=0.05)


def _cell_text(outcome: Outcome) -> str:
    if outcome.failed:
        return "failed"
    if outcome.figures is None or outcome.interval is None:
        return NONE
    low, high = (100 * bound for bound in outcome.interval)
    accuracy, loss = 100 * outcome.figures["accuracy"], outcome.figures["log_loss"]
    return f"{accuracy:.1f} ({low:.1f} to {high:.1f})\nloss {loss:.3f}"


def _draw_curves(axes: Axes, results: Results, cells: Any, rows: list[str]) -> None:
    """A line for each cell; a ring marks the epoch that is kept, a cross where a run failed."""
    from matplotlib.ticker import MaxNLocator

    for position, (cell, name) in enumerate(zip(cells, rows, strict=True)):
        outcome = results.of(cell)
        measured = [entry for entry in outcome.history if entry["validation"]]
        epochs = [entry["epoch"] for entry in measured]
        shares = [100 * entry["validation"]["accuracy"] for entry in measured]
        colour, style = COLOURS[position % len(COLOURS)], STYLES[position // len(COLOURS) % len(STYLES)]
        marker = "." if len(epochs) < 3 else ""
        axes.plot(epochs, shares, style, color=colour, linewidth=1.4, marker=marker, label=name)
        kept = outcome.kept
        if kept and kept["validation"]:
            height = 100 * kept["validation"]["accuracy"]
            axes.plot(kept["epoch"], height, "o", color=colour, markerfacecolor="white", markersize=5)
        if outcome.failed and epochs:
            axes.plot(epochs[-1], shares[-1], "X", color=colour, markersize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def _wrapped(text: str) -> str:
    """A label on a few short lines."""
    return "\n".join(wrap(text, WIDEST_LABEL, max_lines=3, placeholder=" …"))
