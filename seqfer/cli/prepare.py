"""`seqfer prepare`: a manifest in, a cache of face crops for training out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqfer.cli.console import progress, remark_left_out, say
from seqfer.cli.reading import Faces, PictureRate
from seqfer.errors import OptionError


def prepare(
    context: typer.Context,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A CSV file of `seqfer manifest`.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the cache.")],
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="CONFIG",
            help="Make the crops that training by these settings needs: a YAML file, or one of ours by name.",
            show_default=False,
        ),
    ] = None,
    faces: Faces = "mediapipe",
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Side of the square crops.")] = 48,
    channels: Annotated[int, typer.Option(help="1 for grey, 3 for colour.")] = 1,
    picture_rate: PictureRate = 25.0,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes. Default: one for each core.", show_default=False),
    ] = None,
) -> None:
    """Decode every clip of a manifest once, follow its main face, and keep the face's crops for training.

    The main face is the one that takes most room over the whole clip.
    A run that was stopped goes on where it was. Clips that cannot be read or show no face are listed.
    """
    from seqfer.datasets.crops import CropSettings
    from seqfer.datasets.manifest import read_manifest
    from seqfer.datasets.prepare import prepare as make
    from seqfer.preprocess import Preprocess

    settings = CropSettings(Preprocess(size, channels), faces, picture_rate)
    if for_ is not None:
        from seqfer.training.config_file import read_config

        for name in ("faces", "size", "channels", "picture_rate"):
            source = context.get_parameter_source(name)
            if source is not None and source.name != "DEFAULT":
                option = name.replace("_", "-")
                raise OptionError(f"--for {for_} says what crops are like; leave out --{option}")
        config = read_config(for_)
        settings = CropSettings(config.model.preprocess, config.data.faces, config.data.picture_rate)
    clips = read_manifest(manifest)
    with progress("preparing", "clips") as advance:
        packed = make(clips, output, settings, workers, advance)
    remark_left_out(packed.left_out)
    say(f"{len(packed)} of {len(clips.records)} clips, {len(packed.frames)} frames -> {output}")
