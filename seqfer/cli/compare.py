"""`seqfer compare`: two evaluations of the same clips in, what separates the models out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import out, plain_table, say
from seqfer.cli.measuring import remark_few_units

if TYPE_CHECKING:
    from seqfer.evaluation.comparison import Comparison


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="EVAL_A", help="A folder of `seqfer evaluate`.", show_default=False)
    ],
    second: Annotated[
        Path, typer.Argument(metavar="EVAL_B", help="Another one, of the same clips.", show_default=False)
    ],
) -> None:
    """Put two models side by side: figures, paired differences with intervals, McNemar's test, both matrices."""
    from seqfer.evaluation.comparison import compare as look
    from seqfer.evaluation.comparison import read_answers

    found = look(read_answers(first), read_answers(second))
    table = plain_table("figure", "A", "B", "B - A", "95 % interval")
    for name, (a, b, difference, low, high) in found.figures.items():
        numbers = (f"{100 * a:.1f} %", f"{100 * b:.1f} %", f"{100 * difference:+.1f}")
        table.add_row(name, *numbers, f"{100 * low:+.1f} to {100 * high:+.1f}")
    say(f"A: {first}")
    say(f"B: {second}")
    out.print(table)
    say(f"intervals: paired bootstrap over {found.units[1]} {found.units[0]}")
    remark_few_units(found.units)
    say(
        f"rightly answered by A alone {found.only_a}, by B alone {found.only_b}; McNemar's exact p = {found.p:.3g}"
    )
    _say_matrices(found)


def _say_matrices(found: Comparison) -> None:
    table = plain_table("truth", *found.labels)
    for row, name in enumerate(found.labels):
        cells = zip(found.matrices[0][row], found.matrices[1][row], strict=True)
        table.add_row(name, *(f"{a} | {b}" for a, b in cells))
    say("clips, A | B; rows are the truth:")
    out.print(table)
