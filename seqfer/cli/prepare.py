"""`seqfer prepare`: a manifest in, a cache of face crops for training out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqfer.cli.console import progress, remark_left_out, say
from seqfer.errors import OptionError

if TYPE_CHECKING:
    from seqfer.datasets.crops import CropSettings


def prepare(
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
    faces: Annotated[
        str | None,
        typer.Option(
            help="mediapipe or haar; none for pictures that show a face alone, taken whole. Default: mediapipe.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Side of the square crops. Default: 48.", show_default=False),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="1 for grey, 3 for colour. Default: 1.", show_default=False)
    ] = None,
    picture_rate: Annotated[
        float | None,
        typer.Option(
            metavar="FPS",
            help="Pictures per second of clips that are made of pictures. Default: 25.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes. Default: one for each core.", show_default=False),
    ] = None,
) -> None:
    """Decode every clip of a manifest once, follow its main face, and keep the face's crops for training.

    A run that was stopped goes on where it was. Clips that cannot be read or show no face are listed.
    """
    from seqfer.datasets.manifest import read_manifest
    from seqfer.datasets.prepare import prepare as make

    own = {"faces": faces, "size": size, "channels": channels, "picture_rate": picture_rate}
    settings = _crops(for_, {name: value for name, value in own.items() if value is not None})
    clips = read_manifest(manifest)
    with progress("preparing", "clips") as advance:
        packed = make(clips, output, settings, workers, advance)
    remark_left_out(packed.left_out)
    say(f"{len(packed)} of {len(clips.records)} clips, {len(packed.frames)} frames -> {output}")


def _crops(config: str | None, own: dict[str, Any]) -> CropSettings:
    """How crops are made: as settings of training say, or by options that were given."""
    from seqfer.datasets.crops import CropSettings
    from seqfer.preprocess import Preprocess
    from seqfer.training.config_file import read_config

    if config is None:
        size = {name: own.pop(name) for name in ("size", "channels") if name in own}
        return CropSettings(Preprocess(**size), **own)
    if own:
        option = next(iter(own)).replace("_", "-")
        raise OptionError(f"--for {config} says what crops are like; leave out --{option}")
    settings = read_config(config)
    return CropSettings(settings.model.preprocess, settings.data.faces, settings.data.picture_rate)
