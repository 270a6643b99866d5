"""`seqfer audit`: what leaks in a manifest, and what is broken in it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import out, plain_table, progress, remark_line, say
from seqfer.datasets.types import UNASKED
from seqfer.files import check_file, write_whole

if TYPE_CHECKING:
    from seqfer.datasets.audit import Audit, Copies, CopyPair
    from seqfer.datasets.types import ClipRecord

EXAMPLES = 3  # of what stands on two sides
COLUMNS = ("clip_id", "part", "label", "copy_of", "part_of_that", "label_of_that", "likeness")


def audit(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A CSV file of `seqfer manifest`.", show_default=False)
    ],
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="CLEAN.csv",
            help="Write the manifest without training and validation clips that repeat one held out longer, or an "
            "earlier one of training. Nothing leaves the test split or folds; unreadable clips stay.",
            show_default=False,
        ),
    ] = None,
    copies: Annotated[
        Path | None,
        typer.Option(
            metavar="COPIES.csv", help="Write which clips are copies of which, a row per pair.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier files of these names.")] = False,
) -> None:
    """Look for leaks and defects: people, videos and copies on two sides of a split, and unreadable files.

    Copies are pictures that are equal, pixel for pixel, or near-identical: other crops, sizes or compressions of
    one photo. Videos are compared as files. Where clips cannot be read, the exit code is 1.
    """
    from seqfer.datasets.audit import audit as look
    from seqfer.datasets.audit import cleaned
    from seqfer.datasets.manifest import read_manifest, write_manifest

    for path in (write, copies):
        if path is not None:
            check_file(path, overwrite)
    clips = read_manifest(manifest, refuse_leaks=False)
    with progress("reading", "clips") as advance:
        found = look(clips, advance)
    for record, problem in found.unreadable:
        remark_line(f"{record.clip_id}: {problem}")
    counts = Counter(record.label for record in clips.records)
    say("labels: " + ", ".join(f"{label} {counts[label]}" for label in clips.labels))
    _say(found, clips.leaky)
    if copies is not None:
        _write_copies(found.pairs, copies)
        say(f"{len(found.pairs)} pairs of clips -> {copies}")
    if write is not None:
        result = cleaned(clips, found)
        write_manifest(result, write)
        kept = Counter(record.split for record in result.records)
        lost = Counter(record.split for record in clips.records) - kept
        say(
            f"{lost['train']} training and {lost['validation']} validation clips dropped, "
            f"{len(result.records)} clips kept -> {write}"
        )
    if found.unreadable:
        raise typer.Exit(1)


def _write_copies(pairs: tuple[CopyPair, ...], path: Path) -> None:
    rows = [
        (*_cells(pair.copy), *_cells(pair.source), "exact" if pair.exact else "near-identical") for pair in pairs
    ]
    with write_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


def _cells(record: ClipRecord) -> tuple[str, str, str]:
    return record.clip_id, record.part, record.label


def _say(found: Audit, leaky: str) -> None:
    say(f"{found.compared} pictures and videos compared")
    _say_shared("subjects", found.subjects)
    _say_shared("videos and sequences", found.sources)
    if found.copies:
        _say_copies(found.copies)
    else:
        say("copies: none")
    for part, label in found.missing:
        say(f"{part or 'manifest'}: no clip is {label}")
    say(f"unreadable: {len(found.unreadable) or 'none'}")
    if leaky and leaky != UNASKED:
        say(f"the manifest is marked as leaky: {leaky}")
    if found.leaks:
        say("this manifest leaks: figures from its splits are too good")
    else:
        say("no leak found" + (" among the others" if found.unreadable else ""))


def _say_shared(what: str, shared: dict[str, tuple[str, ...]]) -> None:
    say(f"{what} in more than one part: {len(shared) or 'none'}")
    for name, parts in list(shared.items())[:EXAMPLES]:
        say(f"  {name}: {', '.join(parts)}")
    if len(shared) > EXAMPLES:
        say("  …")


def _say_copies(copies: tuple[Copies, ...]) -> None:
    table = plain_table("copies in", "of", "exact", "distinct", "near-identical", "under another label")
    for row in copies:
        source = "itself" if row.part == row.source else row.source or "no split"
        counts = (row.exact, row.distinct, row.near, row.other_label)
        table.add_row(row.part or "no split", source, *(str(count) for count in counts))
    out.print(table)
