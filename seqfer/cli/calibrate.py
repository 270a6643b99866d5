"""`seqfer calibrate`: a model's probabilities made to mean what they say, by the validation split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from seqfer.cli.console import remark_line, say
from seqfer.cli.reading import Cache, Data, Device, OwnFaces, OwnPictureRate, read_split, record_of
from seqfer.errors import OptionError

CHANGED = ("log_loss", "ece", "frame_ece")  # of a model's figures, by its temperature


def calibrate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A model's folder; with -o a bundled one too.", show_default=False),
    ],
    data: Data,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the result. Default: MODEL itself.", show_default=False),
    ] = None,
    faces: OwnFaces = None,
    cache: Cache = None,
    picture_rate: OwnPictureRate = None,
    device: Device = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier model in the folder.")
    ] = False,
) -> None:
    """Fit one temperature on the validation split and store it in the model.

    What the model answers stays the same, but for clips that are longer than it reads at once or have gaps; how
    sure it says to be changes.
    """
    from seqfer.evaluation.calibration import TEMPERATURES, fit_temperature, log_loss, reliability
    from seqfer.evaluation.predictions import predict
    from seqfer.files import check_output, output_folder, sha256_of
    from seqfer.models.bundled import bundled_models, load_model
    from seqfer.models.checkpoint import DESCRIPTION, WEIGHTS, save_checkpoint
    from seqfer.models.heads import soften as soften_head
    from seqfer.models.inference import Predictor, choose_device

    place, replaces = (output, overwrite) if output else (Path(model), True)
    if output:
        check_output(output, overwrite)
    elif model in bundled_models():
        raise OptionError(
            f"{model} is a bundled model, which stays as it is; name a folder for the result with -o"
        )
    checkpoint = load_model(model)
    predictor = Predictor(checkpoint.model, choose_device(device), "float32")
    predictions, packed, _ = read_split(
        predictor, record_of(model, checkpoint), data, "validation", faces, cache, picture_rate
    )
    before, truth = predictions.probabilities, predictions.truth
    temperature = fit_temperature(before, truth)
    few = f"too few of {len(predictions)} validation clips are read"
    if temperature < 2 * TEMPERATURES[0]:  # the search ends there or earlier, where nothing is left to win
        raise OptionError(
            f"{few} wrongly to tell how sure is too sure; give more clips; the model stays as it was"
        )
    soften_head(checkpoint.model.head, temperature)
    # Read again: of a clip in several windows the model softens each, not their mean.
    clips = {clip.clip_id: clip for clip in packed.clips}
    chosen = [clips[name] for name in predictions.clip_ids]
    after = predict(Predictor(checkpoint.model, predictor.device, "float32"), packed, chosen).probabilities
    eces = [reliability(values, truth).ece for values in (before, after)]
    losses = [log_loss(values, truth) for values in (before, after)]
    earlier = checkpoint.provenance.training.get("calibration", {}).get("temperature", 1.0)
    figures = {
        "temperature": earlier * temperature,  # by which the logits are divided in all
        "clips": len(predictions),
        "ece": eces,
        "log_loss": losses,
        "data": data.name,
        "data_sha256": sha256_of(data),
        "split": "validation",
    }
    provenance = replace(
        checkpoint.provenance,
        training={**checkpoint.provenance.training, "calibration": figures},
        metrics=_still_true(checkpoint.provenance.metrics),
    )
    with output_folder(place, replaces, (DESCRIPTION, WEIGHTS)) as folder:
        save_checkpoint(folder, checkpoint.model, provenance)
    say(f"temperature {temperature:.3f}, fitted on {len(predictions)} validation clips -> {place}")
    if temperature > TEMPERATURES[1] / 2:
        remark_line(f"{few} rightly for the model to be sure of anything; look at labels and --faces")
    for name, (first, second) in (("ece", eces), ("log_loss", losses)):
        say(f"{name:8s} {first:.4f} -> {second:.4f}")


def _still_true(figures: dict[str, Any]) -> dict[str, Any]:
    """A model's figures without those that its temperature changes."""
    return {
        name: _still_true(value) if isinstance(value, dict) else value
        for name, value in figures.items()
        if name not in CHANGED
    }
