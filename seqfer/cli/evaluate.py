"""`seqfer evaluate`: a model and a manifest in, figures with intervals, tables and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import remark_line
from seqfer.cli.measuring import say_figures
from seqfer.cli.reading import (
    Cache,
    Data,
    Device,
    OwnFaces,
    OwnPictureRate,
    end_if_missing,
    learnt_from,
    read_split,
    record_of,
)

if TYPE_CHECKING:
    from seqfer.datasets.packed import PackedClips
    from seqfer.evaluation.predictions import Predictions


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A bundled model (see `seqfer models`) or a model's folder.", show_default=False
        ),
    ],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    split: Annotated[
        str, typer.Option(help="train, validation or test; all for a manifest without splits.")
    ] = "test",
    faces: OwnFaces = None,
    cache: Cache = None,
    picture_rate: OwnPictureRate = None,
    frames: Annotated[bool, typer.Option("--frames", help="Write each frame's probabilities too.")] = False,
    mistakes: Annotated[
        int, typer.Option(metavar="N", min=0, help="Write a sheet of faces: the N most confident mistakes.")
    ] = 0,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")] = False,
) -> None:
    """Measure a model on labelled clips: accuracy, UAR, F1, intervals, calibration, confusion matrix.

    The clips are prepared first if they are not. OUTPUT gets metrics.json, predictions.csv, confusion_matrix.csv
    and .png (also normalized), reliability.png and report.md. A clip that shows no face, or cannot be read, is
    left out; where files are missing, the exit code is 1.
    """
    from seqfer import __version__
    from seqfer.evaluation.report import OWN_FILES, write_evaluation
    from seqfer.evaluation.report import evaluate as derive
    from seqfer.files import check_output, output_folder, sha256_of
    from seqfer.models.bundled import load_model
    from seqfer.models.inference import Predictor, choose_device

    check_output(output, overwrite)
    checkpoint = load_model(model)
    predictor = Predictor(checkpoint.model, choose_device(device))
    predictions, packed, manifest = read_split(
        predictor, record_of(model, checkpoint), data, split, faces, cache, picture_rate
    )
    data_sha256 = sha256_of(data)
    origin = {
        "model": {"name": checkpoint.name, "sha256": checkpoint.sha256},
        "data": data.name,
        "data_sha256": data_sha256,
        "split": split,
        "faces": packed.faces,
        "precision": str(predictor.dtype).removeprefix("torch."),
        "left_out": len(packed.left_out),
        "version": __version__,
    }
    learnt = learnt_from(checkpoint.provenance.training, data_sha256, split)
    evaluation = derive(predictions, origin, "; ".join(filter(None, (manifest.leaky, learnt))))
    with output_folder(output, overwrite, OWN_FILES) as folder:
        write_evaluation(evaluation, folder, frames)
        if mistakes:
            _write_mistakes(predictions, packed, mistakes, folder)
    say_figures(evaluation, output)
    end_if_missing(packed)


def _write_mistakes(predictions: Predictions, packed: PackedClips, count: int, folder: Path) -> None:
    from seqfer.evaluation.figures import plot_mistakes
    from seqfer.evaluation.report import most_confident_mistakes

    clips = {clip.clip_id: clip for clip in packed.clips}
    names = predictions.labels.names
    crops, captions = [], []
    positions = most_confident_mistakes(predictions, count)
    if not positions:
        remark_line("no clip is read wrongly: there are no mistakes to show")
        return
    for position in positions:
        clip = clips[predictions.clip_ids[position]]
        crops.append(packed.frames_of(clip)[clip.length // 2])
        row = predictions.probabilities[position]
        captions.append(
            f"{names[predictions.truth[position]]}, read as\n{names[int(row.argmax())]} {row.max():.2f}"
        )
    plot_mistakes(crops, captions, "the most confident mistakes").savefig(folder / "mistakes.png")
