"""A sweep's picture holds every cell's figures and the way to them, whatever the grid and whatever failed."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from seqfer.training.sweep_picture import COLOURS, plot_sweep
from seqfer.training.sweep_results import Outcome
from tests.training.test_sweep_results import FAILED, made, run


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def lines(axes: Axes) -> list[list[float]]:
    """The curves of a panel, without the marks upon them."""
    return [rounded(line) for line in axes.lines if not str(line.get_label()).startswith("_")]


def rounded(line: Line2D) -> list[float]:
    return np.round(np.asarray(line.get_ydata(), float), 1).tolist()


def test_two_keys_make_a_map_of_the_table_and_a_panel_of_curves_for_each_column() -> None:
    outcomes = [run(0.25, 0.5), run(0.375), FAILED, run(0.5, 0.75, 0.5, loss=0.5), None, run(None, None)]
    figure = plot_sweep(made(["optimizer.name=sgd,adam,adamw", "seed=0,1"], outcomes))
    table = figure.axes[0]
    assert [label.get_text() for label in table.get_xticklabels()] == ["sgd", "adam", "adamw"]
    assert [label.get_text() for label in table.get_yticklabels()] == ["0", "1"]
    assert texts(table) == [
        "50.0 (43.1 to 56.9)\nloss 1.250",
        "failed",
        "–",
        "37.5 (31.1 to 44.4)\nloss 1.250",
        "75.0 (68.6 to 80.5)\nloss 0.500",
        "–",
    ]
    (frame,) = [patch for patch in table.patches if isinstance(patch, Rectangle)]
    assert frame.get_xy() == (0.5, 0.5)  # around adam, seed 1
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [f"optimizer.name {name}" for name in ("sgd", "adam", "adamw")]
    assert [lines(axes) for axes in panels] == [[[25, 50], [37.5]], [[30], [50, 75, 50]], [[], []]]
    marked = [line for line in panels[1].lines if str(line.get_label()).startswith("_")]
    marks = [(line.get_marker(), np.asarray(line.get_xdata()).tolist()[0]) for line in marked]
    assert marks == [("X", 1), ("o", 2)]  # failed after its first epoch; the other's second one is kept


def test_the_colours_do_not_make_a_difference_of_what_chance_explains() -> None:
    for accuracies, expected in (
        ((0.5, 0.505), (43.4, 57.1)),  # the width of an interval of 200 clips around both
        ((0.1, 0.5), (10, 50)),
        ((0.0, 0.005), (0, 1.6)),
        ((1.0, 1.0), (99.1, 100)),
    ):
        outcomes = [run(accuracies[0])] * 3 + [run(accuracies[1])]
        (image,) = plot_sweep(made(["epochs=10,11", "seed=0,1"], outcomes)).axes[0].images
        assert image.get_clim() == pytest.approx(expected, abs=0.06)


def test_one_key_makes_points_with_intervals_and_one_panel_of_curves() -> None:
    figure = plot_sweep(made(["optimizer.rate=1,0.5,0.1,0.01"], [FAILED, run(0.25, 0.5), run(0.75), None]))
    points, curves = figure.axes
    assert [label.get_text() for label in points.get_xticklabels()] == ["1", "0.5", "0.1", "0.01"]
    assert texts(points) == ["failed", "50.0", "75.0 *", "–"]
    bars = [found for line in points.lines if len(found := rounded(line)) == 2]
    assert bars == [[43.1, 56.9], [68.6, 80.5]]
    assert lines(curves) == [[30], [25, 50], [75], []]
    assert "200 clips" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("grid", "cells"),
    [
        (["seed=0,1"], 2),
        (["seed=0"], 1),
        (["epochs=10,20,30,40,50,60,70,80,90", "seed=0,1"], 18),
        (["epochs=10,20", "seed=0,1,2,3,4,5,6,7,8,9,10,11"], 24),
        (["epochs=10,20", "batch_size=8,16", "loss.mixup=0,1"], 8),
        (
            [
                "model={encoder: vgg, encoder_settings: {widths: [8, 16]}},{encoder: compact}",
                "start.weights=a$b$,c",
            ],
            4,
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("outcome", [run(0.25, 0.5), FAILED, Outcome(), run(None)])
def test_every_grid_can_be_drawn(grid: list[str], cells: int, outcome: Outcome) -> None:
    figure = plot_sweep(made(grid, [outcome] * cells, ("epochs=20",) if "epochs" not in grid[0] else ()))
    figure.canvas.draw()
    curves = [axes for axes in figure.axes if axes.get_xlabel() == "epoch" or axes.get_title()]
    assert sum(len(lines(axes)) for axes in curves) == cells
    assert len({line.get_color() for axes in curves for line in axes.lines}) <= len(COLOURS)


def test_rings_stand_where_each_run_was_best() -> None:
    results = made(["seed=0,1"], [run(0.25, 0.5), run(0.75)])
    (curves,) = (axes for axes in plot_sweep(results).axes if axes.get_ylabel() == "validation accuracy, %")
    rings = [np.asarray(line.get_ydata(), float).tolist() for line in curves.lines if line.get_marker() == "o"]
    assert rings == [[50], [75]]
