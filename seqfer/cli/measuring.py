"""What an evaluation says on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seqfer.cli.console import remark_line, say

if TYPE_CHECKING:
    from seqfer.evaluation.report import Evaluation


def say_figures(evaluation: Evaluation, output: Path) -> None:
    """The main figures with their intervals, and what limits them."""
    figures = evaluation.figures
    for name, value in (("accuracy", figures.accuracy), ("uar", figures.uar), ("macro_f1", figures.macro_f1)):
        low, high = evaluation.intervals[name]
        say(f"{name:10s} {100 * value:5.1f} %   ({100 * low:.1f} to {100 * high:.1f})")
    kind, count = evaluation.units
    say(f"{figures.count} clips, 95 % intervals over {count} {kind} -> {output}")
    remark_few_units(evaluation.units)
    if evaluation.leaky:
        remark_line(f"these figures cannot be trusted: {evaluation.leaky}")


def remark_few_units(units: tuple[str, int]) -> None:
    """A remark if so few units (as `units_of` calls them) were resampled that intervals mean little."""
    from seqfer.evaluation.report import FEW_UNITS

    kind, count = units
    if count < FEW_UNITS:
        remark_line(f"{count} {kind} are too few for these intervals to be trusted")
