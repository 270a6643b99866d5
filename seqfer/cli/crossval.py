"""`seqfer crossval`: a model for every fold of a manifest, and one honest report of them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqfer.cli.console import out, plain_table, progress, remark_left_out, say
from seqfer.cli.following import follow
from seqfer.cli.measuring import say_figures
from seqfer.cli.reading import Cache, Data, Device
from seqfer.cli.train import Config, Resume, Set

if TYPE_CHECKING:
    from seqfer.evaluation.predictions import Predictions


def crossval(
    config: Config,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for runs and report.")],
    set_: Set = None,
    resume: Resume = False,
    cache: Cache = None,
    device: Device = "auto",
    frames: Annotated[bool, typer.Option("--frames", help="Write each frame's probabilities too.")] = False,
) -> None:
    """Train on all folds but two, choose the epoch on one of them, measure on the other; for every fold in turn.

    With `select: last` no epoch is chosen, and all folds but the measured one are learnt from.
    OUT gets a run for each fold and `evaluation`, in which the clips of all folds are counted together.
    """
    from seqfer import __version__
    from seqfer.datasets.manifest import read_manifest
    from seqfer.evaluation.predictions import pooled, predict
    from seqfer.evaluation.report import OWN_FILES, evaluate, write_evaluation
    from seqfer.files import output_folder, sha256_of
    from seqfer.models.checkpoint import load_checkpoint
    from seqfer.models.inference import Predictor, choose_device
    from seqfer.training.config_file import read_config
    from seqfer.training.crossval import check_folds, parts_of_fold
    from seqfer.training.loop import Trainer
    from seqfer.training.records import BEST
    from seqfer.training.run import check_folder, describe, open_data

    settings = read_config(config, set_ or ())
    own = choose_device(device)
    check_folder(output, resume, folds=True)
    # What cannot go well is said before hours are spent.
    check_folds(settings, read_manifest(data).records)
    with progress("preparing", "clips") as advance:
        packed, manifest = open_data(settings, data, cache, progress=advance)
    remark_left_out(packed.left_out)
    found: list[Predictions] = []
    models: list[str] = []
    record = describe(data, manifest, packed)
    folds = check_folds(settings, packed.clips)
    for fold in folds:
        run = output / f"fold-{fold}"
        train, validation, test = parts_of_fold(settings, packed.clips, fold)
        trainer = Trainer(settings, packed, train, validation, run, own, data={**record, "fold": fold})
        follow(trainer, f"fold {fold}: ")
        checkpoint = load_checkpoint(run / BEST)
        models.append(checkpoint.sha256)
        found.append(predict(Predictor(checkpoint.model, own), packed, test))
    origin: dict[str, Any] = {
        "model": {"name": f"{len(found)} x {Path(config).stem}", "sha256": models},
        "data": data.name,
        "data_sha256": sha256_of(data),
        "split": f"{len(found)} folds, each measured by a model that has seen nothing of it",
        "faces": settings.data.faces,
        "left_out": len(packed.left_out),
        "version": __version__,
    }
    evaluation = evaluate(pooled(found), origin, manifest.leaky)
    with output_folder(output / "evaluation", True, OWN_FILES) as folder:
        write_evaluation(evaluation, folder, frames)
    _say_folds(folds, found)
    say_figures(evaluation, output / "evaluation")


def _say_folds(folds: list[int], found: list[Predictions]) -> None:
    from seqfer.evaluation.metrics import metrics

    table = plain_table("fold", "clips", "accuracy", "UAR")
    for number, predictions in zip(folds, found, strict=True):
        figures = metrics(predictions.matrix())
        table.add_row(
            str(number), str(figures.count), f"{100 * figures.accuracy:.1f} %", f"{100 * figures.uar:.1f} %"
        )
    out.print(table)
    say("The figures below count the clips of all folds together; they are no means of the lines above.")
