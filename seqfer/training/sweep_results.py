"""What a sweep found: each cell's figures on the validation split, the best cell, tables of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import Any

from seqfer.evaluation.metrics import wilson_interval
from seqfer.evaluation.tables import markdown_table, write_csv
from seqfer.settings import value_of
from seqfer.training.sweep import Cell, Sweep, as_text

TABLE, TEXT, PICTURE = "sweep.csv", "table.md", "sweep.png"
OWN_FILES = (TABLE, TEXT, PICTURE)
FIGURES = ("accuracy", "uar", "macro_f1", "log_loss")
COLUMNS = ("cell", "epoch", "epochs", "clips", *FIGURES, "accuracy_low", "accuracy_high", "seconds", "failed")
NAMES = {"accuracy": "accuracy", "uar": "UAR", "loss": "log-loss"}  # of what a cell is chosen by
NONE = "–"


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
        history: its run's epochs, as in metrics.jsonl.
        failed: why it ended early; "" if it did not.
    """

    history: Sequence[dict[str, Any]] = ()
    failed: str = ""

    @property
    def kept(self) -> dict[str, Any] | None:
        """The epoch whose model is `best`; none of a cell that failed, which would stand beside whole ones."""
        return None if self.failed else next((entry for entry in reversed(self.history) if entry["best"]), None)

    @property
    def figures(self) -> dict[str, Any] | None:
        """The kept epoch's figures on the validation split, if that has clips."""
        return self.kept["validation"] if self.kept else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy (Wilson, 1927), which takes the clips for independent."""
        if not self.figures:
            return None
        count = self.figures["clips"]
        return wilson_interval(round(self.figures["accuracy"] * count), count)

    @property
    def seconds(self) -> float:
        """Wall time of the epochs done."""
        return fsum(entry["seconds"] for entry in self.history)


@dataclass(frozen=True)
class Results:
    """A sweep and what became of its cells so far.

    Attributes:
        sweep: the plan.
        data: name of the manifest.
        leaky: why the figures are too good; "" for no known reason.
        outcomes: by the cells' names; a cell that has not been run is missing.
    """

    sweep: Sweep
    data: str
    leaky: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def of(self, cell: Cell) -> Outcome:
        """What became of a cell."""
        return self.outcomes.get(cell.name, Outcome())

    @property
    def chooses(self) -> str:
        """The figure by which cells are compared: that which chooses their epochs, else the accuracy."""
        selects = {cell.config.select for cell in self.sweep.cells}
        return selects.pop() if len(selects) == 1 and selects <= set(NAMES) else "accuracy"

    @property
    def best(self) -> Cell | None:
        """The best cell; of several with the same figure the one with less loss, then the first."""

        def merit(cell: Cell) -> tuple[float, float]:
            figures = self.of(cell).figures
            assert figures is not None
            return (
                -figures["log_loss"] if self.chooses == "loss" else figures[self.chooses],
                -figures["log_loss"],
            )

        return max((cell for cell in self.sweep.cells if self.of(cell).figures), key=merit, default=None)


def write_results(results: Results, folder: Path) -> None:
    """Write a sweep's tables and its picture into an existing folder."""
    from seqfer.training.sweep_picture import plot_sweep

    write_csv(folder / TABLE, _rows(results))
    (folder / TEXT).write_text(to_markdown(results), encoding="utf-8")
    plot_sweep(results).savefig(folder / PICTURE)


def caption(results: Results) -> str:
    """What the figures are, and what they are not."""
    counts = sorted({figures["clips"] for o in results.outcomes.values() if (figures := o.figures)})
    if not counts:
        return "No cell has figures on validation clips yet."
    clips = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    text = (
        f"Accuracy in per cent with its 95 % interval (Wilson's, which takes clips for independent) and log-loss, "
        f"on the validation split of {results.data}, {clips} clips, at the epoch that each run kept. What is "
        "chosen by these clips is fitted to them: measure the chosen cell once on the test split."
    )
    return f"{text} The figures are too good: {results.leaky}." if results.leaky else text


def layout(results: Results) -> tuple[list[str], list[list[str]]]:
    """The table of accuracy and loss: the first key's values as groups of two columns, the other keys' as rows.

    Returns:
        The groups' values; and the rows, each of which begins with the other keys' values.
    """
    sweep, best = results.sweep, results.best
    rows = []
    for labels in dict.fromkeys(cell.labels[1:] for cell in sweep.cells):
        cells = [cell for cell in sweep.cells if cell.labels[1:] == labels]
        rows.append([*labels, *(text for cell in cells for text in cell_figures(results.of(cell), cell is best))])
    return sweep.values(0), rows


def cell_figures(outcome: Outcome, best: bool = False) -> tuple[str, str]:
    """A cell's accuracy with its interval, and its loss, as text; the best one's has a star."""
    if outcome.failed:
        return "failed", NONE
    if outcome.figures is None or outcome.interval is None:
        return NONE, NONE
    low, high = outcome.interval
    star = " *" if best else ""
    accuracy = f"{100 * outcome.figures['accuracy']:.1f} ({100 * low:.1f} to {100 * high:.1f}){star}"
    return accuracy, f"{outcome.figures['log_loss']:.4f}"


def listing(results: Results) -> tuple[list[str], list[list[str]]]:
    """The table with a row per cell and all of its figures: columns and rows, as text."""
    sweep, best = results.sweep, results.best
    head = [*sweep.keys, "accuracy", "UAR", "macro F1", "loss", "kept epoch", "seconds"]
    rows = []
    for cell in sweep.cells:
        outcome = results.of(cell)
        accuracy, loss = cell_figures(outcome, cell is best)
        figures, kept = outcome.figures, outcome.kept
        shares = [f"{100 * figures[name]:.1f}" if figures else NONE for name in ("uar", "macro_f1")]
        epoch = f"{kept['epoch']} of {len(outcome.history)}" if kept else NONE
        seconds = f"{outcome.seconds:.0f}" if outcome.history else NONE
        rows.append([*cell.labels, accuracy, *shares, loss, epoch, seconds])
    return head, rows


def to_markdown(results: Results) -> str:
    """The tables, as a page to read."""
    sweep, best = results.sweep, results.best
    lines = [f"# Sweep of {sweep.name}: {' x '.join(sweep.keys)}", "", caption(results), ""]
    if len(sweep.keys) > 1:
        groups, rows = layout(results)
        names = [f"{sweep.keys[0]} {value}: {name}" for value in groups for name in ("accuracy", "loss")]
        lines += markdown_table([*sweep.keys[1:], *names], rows)
    lines += markdown_table(*listing(results))
    if best:
        lines += [f"\\* the best cell by {NAMES[results.chooses]}: `{best.name}`.", ""]
    lines += [f"- failed: {outcome.failed}" for outcome in results.outcomes.values() if outcome.failed]
    lines += ["", f"![Sweep]({PICTURE})", ""]
    return "\n".join(lines)


def _rows(results: Results) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [[*results.sweep.columns, *COLUMNS]]
    for cell in results.sweep.cells:
        outcome = results.of(cell)
        figures: Mapping[str, Any] = outcome.figures or {}
        low, high = outcome.interval or ("", "")
        found = {
            **figures,
            "cell": cell.name,
            "epoch": outcome.kept["epoch"] if outcome.kept else "",
            "epochs": len(outcome.history),
            "accuracy_low": low,
            "accuracy_high": high,
            "seconds": round(outcome.seconds, 2),
            "failed": outcome.failed,
        }
        settings = [as_text(value_of(cell.config, name)) for name in results.sweep.columns]
        rows.append([*settings, *(found.get(name, "") for name in COLUMNS)])
    return rows
