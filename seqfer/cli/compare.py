"""`seqfer compare`: two evaluations of the same clips in, what separates the models out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import out, plain_table, remark_line, say
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
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a report and pictures.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files of an earlier run.")] = False,
) -> None:
    """Put two models side by side: figures, paired differences with intervals, McNemar's test, both matrices.

    OUTPUT gets comparison.md and .json, the classes' figures as bars (classes.png), and both confusion matrices in
    one picture: matrices.png (counts) and matrices_normalized.png.
    """
    from seqfer.evaluation.comparison import compare as look
    from seqfer.evaluation.comparison import read_answers
    from seqfer.evaluation.comparison_report import (
        CLASS_COLUMNS,
        OWN_FILES,
        class_rows,
        mcnemar,
        names_of,
        write_comparison,
    )
    from seqfer.evaluation.tables import points
    from seqfer.files import check_output, output_folder

    if output:
        check_output(output, overwrite)
    found = look(read_answers(first), read_answers(second))
    if output:
        with output_folder(output, overwrite, OWN_FILES) as folder:
            write_comparison(found, folder)
    for model, place, name in zip("AB", (first, second), names_of(found), strict=True):
        say(f"{model}: {place}" + (f", {name}" if name != place.name else ""))
    table = plain_table("figure", "A", "B", "B - A", "95 % interval")
    for name, (a, b, difference, low, high) in found.figures.items():
        numbers = (f"{100 * a:.1f} %", f"{100 * b:.1f} %", f"{100 * difference:+.1f}")
        table.add_row(name, *numbers, points((low, high)))
    out.print(table)
    say(f"intervals: paired bootstrap over {found.units[1]} {found.units[0]}")
    remark_few_units(found.units)
    say(mcnemar(found))
    classes = plain_table(*CLASS_COLUMNS)
    for row in class_rows(found):
        classes.add_row(*row)
    out.print(classes)
    _say_matrices(found)
    for model, origin in zip("AB", found.origins, strict=True):
        if leaky := origin.get("leaky"):
            remark_line(f"the figures of {model} cannot be trusted: {leaky}")
    if output:
        say(f"-> {output}")


def _say_matrices(found: Comparison) -> None:
    table = plain_table("truth", *found.labels)
    for row, name in enumerate(found.labels):
        cells = zip(found.matrices[0][row], found.matrices[1][row], strict=True)
        table.add_row(name, *(f"{a} | {b}" for a, b in cells))
    say("clips, A | B; rows are the truth:")
    out.print(table)
