"""What a sweep found: figures of the validation split alone, laid out as in the paper, failures beside them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scipy.stats import binomtest

from seqfer.training.sweep import read_sweep
from seqfer.training.sweep_results import (
    COLUMNS,
    OWN_FILES,
    Outcome,
    Results,
    caption,
    layout,
    listing,
    to_markdown,
    write_results,
)

CLIPS = 200


def entry(epoch: int, accuracy: float | None, best: bool, loss: float = 1.25, uar: float = 0.5) -> dict[str, Any]:
    """A line of a run's history; one without an accuracy has no validation clips."""
    figures = {"clips": CLIPS, "accuracy": accuracy, "uar": uar, "macro_f1": 0.25, "log_loss": loss}
    return {
        "epoch": epoch,
        "loss": 2.0,
        "rate": 0.1,
        "validation": None if accuracy is None else figures,
        "best": best,
        "seconds": 1.5,
    }


def run(*accuracies: float | None, loss: float = 1.25, uar: float = 0.5) -> Outcome:
    """A run whose epochs have these accuracies on the validation split; the best of them is kept."""
    best = -1.0
    history = []
    for epoch, accuracy in enumerate(accuracies, 1):
        history.append(entry(epoch, accuracy, accuracy is None or accuracy > best, loss, uar))
        best = max(best, accuracy or 0.0)
    return Outcome(tuple(history))


def made(
    grid: list[str], outcomes: Sequence[Outcome | None], changes: tuple[str, ...] = ("select=accuracy",)
) -> Results:
    """Results of a sweep over `compact`, in the order of its cells; None for a cell that has not been run."""
    sweep = read_sweep("compact", changes, grid)
    pairs = zip(sweep.cells, outcomes, strict=True)
    return Results(sweep, "m.csv", "", {cell.name: outcome for cell, outcome in pairs if outcome})


FAILED = Outcome(tuple(run(0.3).history), "out/x: the loss of step 3 (epoch 2) is nan")


def test_the_kept_epochs_figures_count_not_the_last_ones() -> None:
    outcome = run(0.2, 0.6, 0.4)
    assert outcome.kept is not None
    assert outcome.kept["epoch"] == 2
    assert outcome.figures is not None
    assert outcome.figures["accuracy"] == 0.6
    assert outcome.seconds == 4.5


@pytest.mark.parametrize("accuracy", [0.0, 0.005, 0.6, 1.0])
def test_the_interval_is_wilsons(accuracy: float) -> None:
    expected = binomtest(round(CLIPS * accuracy), CLIPS).proportion_ci(method="wilson")
    assert run(accuracy, 0.0).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("outcome", [Outcome(), FAILED, run(None, None)], ids=["not run", "failed", "no clips"])
def test_what_has_no_figures_is_never_the_best(outcome: Outcome) -> None:
    assert outcome.figures is None
    assert outcome.interval is None
    results = made(["seed=0,1"], [outcome, run(0.1)])
    assert results.best is results.sweep.cells[1]
    assert made(["seed=0,1"], [outcome, outcome]).best is None


@pytest.mark.parametrize(
    ("select", "best"), [("accuracy", 1), ("uar", 2), ("loss", 0)], ids=["accuracy", "uar", "loss"]
)
def test_cells_are_compared_by_what_chooses_their_epochs(select: str, best: int) -> None:
    outcomes = [run(0.3, loss=0.5), run(0.5, loss=0.75), run(0.4, loss=1.5, uar=0.75), run(0.2)]
    results = made(["seed=0,1,2,3"], outcomes, (f"select={select}",))
    assert results.best is results.sweep.cells[best]


def test_of_two_equal_cells_the_surer_one_is_better_and_different_choosers_compare_by_accuracy() -> None:
    results = made(["seed=0,1,2"], [run(0.5), run(0.5, loss=1.0), run(0.5, loss=1.0)])
    assert results.best is results.sweep.cells[1]
    mixed = made(["select=loss,uar"], [run(0.5, loss=1.0, uar=0.75), run(0.75, loss=2.0)], ())
    assert (mixed.chooses, mixed.best) == ("accuracy", mixed.sweep.cells[1])


def test_where_nothing_is_chosen_cells_are_compared_by_accuracy() -> None:
    results = made(["seed=0,1"], [run(0.5, uar=0.75), run(0.75)], ("select=last",))
    assert (results.chooses, results.best) == ("accuracy", results.sweep.cells[1])


def test_the_table_is_laid_out_as_in_the_paper() -> None:
    runs = [run((50 + k) / 100, loss=k / 8) for k in range(9)]
    results = made(["epochs=50,75,100", "batch_size=32,64,128"], runs)
    groups, rows = layout(results)
    assert groups == ["50", "75", "100"]
    assert [row[0] for row in rows] == ["32", "64", "128"]
    accuracies = [[cell.split()[0] for cell in row[1::2]] for row in rows]
    # The first key's values lie side by side, the second one's below each other.
    assert accuracies == [["50.0", "53.0", "56.0"], ["51.0", "54.0", "57.0"], ["52.0", "55.0", "58.0"]]
    assert [row[2::2] for row in rows] == [
        ["0.0000", "0.3750", "0.7500"],
        ["0.1250", "0.5000", "0.8750"],
        ["0.2500", "0.6250", "1.0000"],
    ]
    assert [(row, column) for row in range(3) for column in range(1, 7) if rows[row][column].endswith("*")] == [
        (2, 5)
    ]
    text = to_markdown(results)
    assert "| batch_size | epochs 50: accuracy | epochs 50: loss | epochs 75: accuracy |" in text
    assert "| 128 | 52.0 (45.1 to 58.8) | 0.2500 | 55.0 (48.1 to 61.7) | 0.6250 | 58.0 (51.1 to 64.6) * |" in text
    assert r"\* the best cell by accuracy: `epochs=100,batch_size=128`." in text


def test_three_keys_make_rows_of_the_last_two() -> None:
    results = made(
        ["epochs=1,2", "batch_size=8,16", "seed=0,1"], [run(k / 10) for k in range(8)], ("schedule.warmup=0.5",)
    )
    groups, rows = layout(results)
    assert groups == ["1", "2"]
    assert [row[:2] for row in rows] == [["8", "0"], ["8", "1"], ["16", "0"], ["16", "1"]]
    assert [row[2].split()[0] for row in rows] == ["0.0", "10.0", "20.0", "30.0"]


def test_one_key_makes_a_list_with_every_figure() -> None:
    results = made(["optimizer.rate=0.5,0.1,0.01"], [run(0.25, 0.5, 0.25), FAILED, None])
    head, rows = listing(results)
    assert head == ["optimizer.rate", "accuracy", "UAR", "macro F1", "loss", "kept epoch", "seconds"]
    assert rows == [
        ["0.5", "50.0 (43.1 to 56.9) *", "50.0", "25.0", "1.2500", "2 of 3", "4"],
        ["0.1", "failed", "–", "–", "–", "–", "2"],
        ["0.01", "–", "–", "–", "–", "–", "–"],
    ]
    text = to_markdown(results)
    assert text.count("\n|") == 5  # no second table
    assert "- failed: out/x: the loss of step 3 (epoch 2) is nan" in text


def test_the_caption_says_what_the_figures_are_and_are_not() -> None:
    results = made(["seed=0,1"], [run(0.5), run(0.25)])
    assert "on the validation split of m.csv, 200 clips" in caption(results)
    assert "measure the chosen cell once on the test split" in caption(results)
    assert "too good" not in caption(results)
    leaky = Results(results.sweep, "m.csv", "pictures of one clip", results.outcomes)
    assert "The figures are too good: pictures of one clip." in caption(leaky)
    for nothing in (made(["seed=0,1"], [None, None]), made(["seed=0,1"], [run(None), FAILED])):
        assert caption(nothing) == "No cell has figures on validation clips yet."


def test_the_files_hold_a_row_for_each_cell(tmp_path: Path) -> None:
    grid = ["optimizer={name: sgd, rate: 0.5},{name: adam}", "seed=0,1"]
    results = made(grid, [run(0.25, 0.5), FAILED, None, run(None, None)])
    write_results(results, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(OWN_FILES)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["optimizer.name", "optimizer.rate", "seed", *COLUMNS]
    assert [(row["optimizer.name"], row["optimizer.rate"], row["seed"]) for row in rows] == [
        ("sgd", "0.5", "0"),
        ("sgd", "0.5", "1"),
        ("adam", "0.1", "0"),  # the settings' own rate
        ("adam", "0.1", "1"),
    ]
    assert (rows[0]["accuracy"], rows[0]["epoch"], rows[0]["epochs"], rows[0]["clips"]) == ("0.5", "2", "2", "200")
    assert float(rows[0]["accuracy_low"]) < 0.5 < float(rows[0]["accuracy_high"])
    assert (rows[1]["accuracy"], rows[1]["failed"]) == ("", FAILED.failed)
    assert (rows[2]["epochs"], rows[2]["accuracy"], rows[2]["failed"]) == ("0", "", "")
    assert (rows[3]["epochs"], rows[3]["epoch"], rows[3]["accuracy"]) == ("2", "2", "")
    with Image.open(tmp_path / "sweep.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_the_table_holds_each_runs_own_interval(tmp_path: Path) -> None:
    write_results(made(["seed=0,1"], [run(0.25, 0.5), run(0.75)]), tmp_path)
    with (tmp_path / "sweep.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    exact = binomtest(100, CLIPS).proportion_ci(method="wilson")
    assert (float(row["accuracy_low"]), float(row["accuracy_high"])) == pytest.approx((exact.low, exact.high))
