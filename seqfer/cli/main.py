"""The command `seqfer`: its subcommands, one file each, and how errors end it."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from seqfer import __version__
from seqfer.cli import (
    annotate,
    audit,
    calibrate,
    classic,
    compare,
    crossval,
    demo,
    doctor,
    ensemble,
    evaluate,
    explain,
    export,
    live,
    manifest,
    models,
    papers,
    prepare,
    regions,
    sweep,
    train,
)
from seqfer.cli.console import errors_on_one_line

app = typer.Typer(
    name="seqfer",
    help="Facial expression recognition in video: from a file to a per-frame expression timeline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(annotate.annotate)
app.command()(live.live)
app.command()(manifest.manifest)
app.command()(audit.audit)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(crossval.crossval)
app.command()(ensemble.ensemble)
app.command()(sweep.sweep)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(calibrate.calibrate)
app.add_typer(classic.app)
app.add_typer(papers.app)
app.command()(explain.explain)
app.command()(regions.regions)
app.command()(export.export)
app.command()(demo.demo)
app.command()(models.models)
app.command()(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seqfer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Into a file, Windows writes an old character set, which lacks most of what names are made of.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with errors_on_one_line():
            app()
    except BrokenPipeError:
        # Whoever read the output has left; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    run()
