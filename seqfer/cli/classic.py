"""`seqfer classic`: a forest on selected features of a frozen network, fitted and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqfer.cli.console import progress, remark_left_out, say
from seqfer.cli.measuring import say_figures
from seqfer.cli.reading import Cache, Data, Device, end_if_missing, learnt_from, open_split
from seqfer.cli.train import Config

app = typer.Typer(
    name="classic",
    help="Features of a frozen network, SMOTE, ant-colony feature selection and a random forest.",
    no_args_is_help=True,
)

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")]


@app.command()
def fit(
    config: Config,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder of the model.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: --set smote.on=false"),
    ] = None,
    cache: Cache = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Fit a forest on a manifest's split `train`; nothing else is looked at.

    The clips are prepared first if they are not. OUT gets forest.safetensors, encoder.safetensors and forest.json;
    `seqfer classic evaluate OUT` measures the model.
    """
    import numpy as np

    from seqfer.classic.config_file import read_config
    from seqfer.classic.features import open_encoder, read_features, with_fitted_norms
    from seqfer.classic.fitting import check_clips, fit_forest
    from seqfer.classic.model import OWN_FILES, save_forest
    from seqfer.datasets.manifest import read_manifest
    from seqfer.datasets.opening import open_clips
    from seqfer.files import check_output, output_folder
    from seqfer.models.inference import choose_device
    from seqfer.training.run import describe

    check_output(output, overwrite)
    settings, own = read_config(config, set_ or ()), choose_device(device)
    # What cannot go well is said before time is spent on preparing clips.
    check_clips(settings, read_manifest(data).records)
    encoder = open_encoder(settings.features, settings.seed)
    with progress("preparing", "clips") as advance:
        crops = settings.data
        packed, manifest = open_clips(data, encoder.preprocess, crops.faces, cache, crops.picture_rate, advance)
    remark_left_out(packed.left_out)
    labels = check_clips(settings, packed.clips)
    clips = [clip for clip in packed.clips if clip.split == "train"]
    if encoder.origin == "scratch":
        encoder = with_fitted_norms(encoder, packed, clips, settings.seed)
    with progress("reading", "frames") as advance:
        features = read_features(encoder, packed, clips, own, advance)
    say(f"features: {len(features)} clips x {features.shape[1]} numbers of {encoder.name} ({encoder.origin[:12]})")
    record = {**describe(data, manifest, packed), "frames_sha256": packed.frames_sha256}
    truth = np.array([labels.index(clip.label) for clip in clips])
    model = fit_forest(settings, labels, encoder, features, truth, record, say)
    with output_folder(output, overwrite, OWN_FILES) as folder:
        save_forest(folder, model)
    say(f"a forest that tells {', '.join(labels)} apart -> {output}")


@app.command()
def evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A folder of `seqfer classic fit`.", show_default=False)
    ],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    split: Annotated[
        str, typer.Option(help="train, validation or test; all for a manifest without splits.")
    ] = "test",
    resample_test: Annotated[
        bool,
        typer.Option("--resample-test", help="Add synthetic clips to the split by SMOTE, to show what that does."),
    ] = False,
    cache: Cache = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Measure a forest on labelled clips; the results, and the exit code, are those of `seqfer evaluate`.

    With --resample-test the figures count clips that nobody has filmed, and the report says so.
    """
    from seqfer import __version__
    from seqfer.classic.model import load_forest
    from seqfer.classic.predicting import predict
    from seqfer.evaluation.report import OWN_FILES, write_evaluation
    from seqfer.evaluation.report import evaluate as derive
    from seqfer.files import check_output, output_folder, sha256_of
    from seqfer.models.inference import choose_device

    check_output(output, overwrite)
    forest, sha256 = load_forest(model)
    crops, preprocess = forest.training["config"]["data"], forest.encoder.preprocess
    chosen, packed, manifest = open_split(
        forest.labels, preprocess, data, split, crops["faces"], cache, crops["picture_rate"]
    )
    with progress("reading", "frames") as advance:
        predictions = predict(forest, packed, chosen, choose_device(device), resample_test, advance)
    synthetic = len(predictions) - len(chosen)
    data_sha256 = sha256_of(data)
    reasons = [manifest.leaky, learnt_from(forest.training, data_sha256, split)]
    if resample_test:
        reasons.append(
            f"the split {split} was resampled: {synthetic} of these {len(predictions)} clips are synthetic, made "
            "by SMOTE between two others with the same label"
        )
    origin = {
        "model": {"name": model.resolve().name, "sha256": sha256},
        "data": data.name,
        "data_sha256": data_sha256,
        "split": split,
        "faces": packed.faces,
        "synthetic": synthetic,
        "left_out": len(packed.left_out),
        "version": __version__,
    }
    evaluation = derive(predictions, origin, "; ".join(filter(None, reasons)))
    with output_folder(output, overwrite, OWN_FILES) as folder:
        write_evaluation(evaluation, folder)
    say_figures(evaluation, output)
    end_if_missing(packed)
