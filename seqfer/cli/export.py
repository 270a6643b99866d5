"""`seqfer export`: a model as a checked ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqfer.cli.console import say


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A bundled model (see `seqfer models`) or a model's folder.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a model as an ONNX file, for programs that read faces without seqfer.

    The file takes face crops, uint8 (clips, frames, planes, height, width), and gives probabilities for each frame
    and each clip. Scaling the pixels is part of it; finding faces, cutting them out, equalising them and finding
    their edges is not. Its metadata hold the labels in the order of the outputs and all that goes before.

    The file stays only if ONNX Runtime gives the probabilities that PyTorch gives, within 0.001. The command needs
    the packages onnx and onnxruntime, which are seqfer's extra `export`.
    """
    from seqfer.models.bundled import load_model
    from seqfer.models.onnx_export import INPUT, OUTPUTS, export_onnx

    checkpoint = load_model(model)
    difference = export_onnx(checkpoint, output, overwrite)
    architecture = checkpoint.model.architecture
    planes, size = architecture.preprocess.input_planes, architecture.preprocess.size
    labels = len(architecture.labels)
    say(f"{checkpoint.name} -> {output} ({output.stat().st_size / 1e6:.1f} MB)")
    say(f"{INPUT} (B, T, {planes}, {size}, {size}) -> {OUTPUTS[0]} (B, T, {labels}), {OUTPUTS[1]} (B, {labels})")
    say(f"ONNX Runtime's probabilities differ from PyTorch's by at most {difference:.1e}")
