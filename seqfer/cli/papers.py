"""`seqfer papers`: the five papers' systems, what each needs, and one command that runs each of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqfer.cli.console import as_typed, error_line, out, plain_table, remark_line, say
from seqfer.cli.train import Set
from seqfer.errors import SeqferError

if TYPE_CHECKING:
    from seqfer.papers.results import Row
    from seqfer.papers.types import Protocol, Step

INTERRUPTED = 130  # what a command gives that Ctrl-C has ended

app = typer.Typer(
    name="papers",
    help="The five papers' systems: what each reports and needs, and the command that runs it here.",
    invoke_without_command=True,
)


@app.callback()
def papers(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where data sets lie: FOLDER/fer2013, FOLDER/ckplus48 …")
    ] = Path("data"),
) -> None:
    """List the papers, what data each needs, whether it is there, and the command that runs it."""
    if context.invoked_subcommand is not None:
        return
    from seqfer.papers.catalogue import PAPERS
    from seqfer.papers.data import how_present

    for paper in PAPERS.values():
        place = data / paper.data
        say(f"{paper.name}  {paper.title}")
        say(f"    reports  {paper.reports}")
        say(f"    data     {how_present(paper.data, place)}")
        for protocol in paper.protocols:
            say(f"    {protocol.name}: {protocol.what}")
        say(f"    $ seqfer papers run {paper.name} {place} -o {paper.name}")
        say()


@app.command()
def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PAPER", help="p1, p2, p3, p4 or p5.", show_default=False)],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The data set's folder.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for runs and results.")],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="As `seqfer papers` lists them. Default: those that measure.", show_default=False
        ),
    ] = None,
    set_: Set = None,
    show: Annotated[bool, typer.Option("--show", help="Show the commands, and run none.")] = False,
) -> None:
    """Run a paper's systems: make the splits, train, measure, and write the rows of its table into OUT.

    Every command is shown as it begins. A run that was stopped goes on where it was when it is run again.
    """
    from seqfer.files import check_output
    from seqfer.papers.catalogue import paper_of
    from seqfer.papers.record import Record
    from seqfer.papers.results import is_measured, rows_of, write_rows

    paper, changes = paper_of(name), tuple(set_ or ())
    names = protocol or [one.name for one in paper.protocols if one.systems]
    chosen = [paper.protocol(one) for one in names]
    if show:
        for one in chosen:
            say(f"# {paper.name}, protocol {one.name}: {one.what}")
            for step in one.steps(data, output / one.name, changes):
                say(_line(step))
        return
    check_output(output, overwrite=True)
    failed = False
    rows: list[Row] = []
    for one in paper.protocols:
        place = output / one.name
        # What goes wrong with one protocol leaves the others alone.
        try:
            if one in chosen:
                say(f"# {paper.name}, protocol {one.name}: {one.what}")
                failed |= not _follow(one, data, place, changes, context.find_root().command)
        except SeqferError as error:
            error_line(error)
            failed = True
        try:
            if is_measured(one, place):  # also if that was done before
                rows += rows_of(paper, one, place, Record(place).changes)
        except SeqferError as error:
            error_line(error)
            failed = True
    if rows:
        write_rows(rows, output)
        _say_rows(rows, output)
    if failed:
        raise typer.Exit(1)


def _line(step: Step) -> str:
    return f"$ seqfer {as_typed(step.arguments)}"


def _follow(protocol: Protocol, data: Path, place: Path, changes: tuple[str, ...], seqfer: Any) -> bool:
    """Run those commands of a protocol that are not done yet; whether all could read what they were given."""
    from seqfer.papers.record import Record

    record, whole = Record(place), True
    for step in protocol.steps(data, place, changes):
        say(_line(step))
        if record.is_done(step):
            say(f"{step.makes} is there")
            continue
        record.remember(step, changes)
        before = _written(step.makes)
        code = seqfer.main(list(step.arguments), standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code and not (step.partial and _written(step.makes) != before):
            raise SeqferError(f"seqfer {step.arguments[0]} has failed; run the same again to go on")
        whole &= not code
    record.finish(changes)
    return whole


def _written(path: Path) -> int:
    """When a file was written, in ns; 0 if it is not there."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _say_rows(rows: list[Row], output: Path) -> None:
    table = plain_table("system", "protocol", "clips", "accuracy", "UAR", "macro F1")
    for row in rows:
        table.add_row(row.system, row.protocol, str(row.clips), *row.figures())
    out.print(table)
    say(f"{len(rows)} rows -> {output}")
    for why in dict.fromkeys(row.leaky for row in rows if row.leaky):
        remark_line(f"some of these figures cannot be trusted: {why}")
