"""`seqfer ensemble`: trained frame models in, one model that averages them out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqfer.cli.console import say
from seqfer.errors import OptionError


def ensemble(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models or their folders, two or more.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the new model.")],
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Let each read mirror images too: steadier, at twice the cost.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier model.")] = False,
) -> None:
    """Put frame models together: each reads a face alone, their probabilities are averaged.

    Members must read the same crops and labels, and have no temporal head. The result is a model as any other.
    """
    from seqfer.files import check_output, output_folder
    from seqfer.models.bundled import load_model
    from seqfer.models.checkpoint import DESCRIPTION, WEIGHTS, save_checkpoint
    from seqfer.models.ensemble import ensemble_of

    if len(models) < 2:
        raise OptionError("an ensemble needs two models or more")
    check_output(output, overwrite)
    model, provenance = ensemble_of([load_model(name) for name in models], mirrored)
    with output_folder(output, overwrite, (DESCRIPTION, WEIGHTS)) as folder:
        save_checkpoint(folder, model, provenance)
    weights = sum(parameter.numel() for parameter in model.parameters())
    say(f"{len(models)} models, {weights / 1e6:.2f} million parameters -> {output}")
