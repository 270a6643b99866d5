"""`seqfer manifest`: a data set on disk in, a manifest with splits out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import out, plain_table, remark_line, say
from seqfer.files import check_file

if TYPE_CHECKING:
    from seqfer.datasets.layouts.found import Found
    from seqfer.datasets.summary import Tally


def manifest(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="liris-cse, folder, fer2013, ckplus, ckplus48, jaffe, ravdess or crema-d.",
            show_default=False,
        ),
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The data set's folder.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The manifest to write, a CSV file.")],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="PLAN",
            help="official, subject:70/15/15, kfold:10, clip:70/15/15 or image:80/20. "
            "Default: official where the data set has splits, else none.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Take each picture, or frame of a video, as a clip of its own.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="folder: finds the subject in a clip's path below ROOT, as '(?P<subject>S[0-9]+)_'.",
            show_default=False,
        ),
    ] = None,
    last_frames: Annotated[int, typer.Option(metavar="N", help="ckplus: frames of a clip, up to the apex.")] = 3,
    first_as_neutral: Annotated[
        bool, typer.Option("--first-as-neutral", help="ckplus: the first frame as a neutral clip of its own.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier manifest.")] = False,
) -> None:
    """List the clips of a data set, who is seen in them, and which split they are in.

    Labels come from names and folders, and are never guessed: what does not fit is listed and left out.
    """
    from seqfer.datasets.layouts.found import LayoutOptions
    from seqfer.datasets.layouts.registry import read_layout, with_lengths
    from seqfer.datasets.manifest import write_manifest
    from seqfer.datasets.splits import SplitPlan, without_split
    from seqfer.datasets.splits import split as split_records
    from seqfer.datasets.summary import tally

    check_file(output, overwrite)
    plan = SplitPlan.parse(split) if split else None
    found, seconds = with_lengths(read_layout(kind, root, LayoutOptions(subject, last_frames, first_as_neutral)))
    _say_left_out(found)
    if plan is None and all(record.split for record in found.records):
        plan = SplitPlan("official")
    result = split_records(found.records, plan, seed, images) if plan else without_split(found.records, images)
    write_manifest(result, output)
    _say_tally(tally(result, seconds))
    say(f"{len(result.records)} clips -> {output}")
    if result.leaky:
        remark_line(f"these splits leak, and reports will say so: {result.leaky}")
    elif plan is None:
        remark_line(
            "no split was made: evaluate takes --split all; to train, make one, as --split subject:70/15/15"
        )


def _say_left_out(found: Found) -> None:
    for path, why in found.left_out:
        remark_line(f"{path}: {why}; left out")


def _say_tally(rows: list[Tally]) -> None:
    table = plain_table("split", "label", "clips", "subjects", "seconds")
    for row in rows:
        table.add_row(
            row.part or "-",
            row.label,
            str(row.clips),
            str(row.subjects) if row.subjects else "-",
            f"{row.seconds:.1f}" if row.seconds else "-",
            end_section=row.label == "all",
            style="bold" if row.label == "all" else None,
        )
    out.print(table)
