#!/usr/bin/env python
"""Measure a model on FER-2013: what the README and the model's card say of it.

    python scripts/measure_model.py compact --fer2013 fer2013.zip

PublicTest is the split that chose the model, PrivateTest the one it is measured on. Nothing is chosen by what this
prints. With --save the figures go into the model's own model.json, with --pictures FOLDER confusion matrices and
reliability diagrams into a folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from seqfer.cli.console import errors_on_one_line
from seqfer.datasets.fer2013 import StillSet, load_fer2013
from seqfer.evaluation.calibration import BINS, reliability
from seqfer.evaluation.figures import plot_confusion_matrix, plot_reliability
from seqfer.evaluation.metrics import confusion_matrix, metrics
from seqfer.evaluation.stills import ALL, check_labels, figures_of, parts_of, taken_whole
from seqfer.evaluation.tables import points, with_interval
from seqfer.files import write_whole
from seqfer.models.bundled import bundled_models, load_model, model_folder
from seqfer.models.checkpoint import DESCRIPTION, Checkpoint, read_description
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import Predictor, read_crops
from seqfer.training.augmentation import NOTHING
from seqfer.training.clip_figures import ClipFigures, measure_head, validation_clips
from seqfer.training.clips import ClipStyle
from seqfer.training.head import frames_alone

CONSOLE = Console(width=120)
CPU = torch.device("cpu")
CLIP_S = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder")
    parser.add_argument("--fer2013", type=Path, required=True, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--only-public", action="store_true", help="leave PrivateTest alone")
    parser.add_argument(
        "--clips", type=int, metavar="N", help="clips of a split; as many as its stills if not given"
    )
    parser.add_argument("--save", action="store_true", help="write the figures into the model's model.json")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw matrices and reliability there")
    options = parser.parse_args()
    checkpoint = load_model(options.model)
    check_labels(checkpoint.model.architecture.labels)
    data = load_fer2013(options.fer2013)
    splits = (
        {"PublicTest": "validation"}
        if options.only_public
        else {"PublicTest": "validation", "PrivateTest": "test"}
    )
    saved: dict[str, Any] = {}
    for name, split in splits.items():
        role = "chose the model" if split == "validation" else "measured, chose nothing"
        CONSOLE.rule(f"{name} ({role})")
        saved[name], probabilities = measure_stills(checkpoint, data[split], data["train"])
        if options.pictures:
            draw(options.pictures, checkpoint, name, data[split].labels, probabilities)
        if isinstance(checkpoint.model.head, BiLSTMHead):
            saved[name]["clips"] = measure_clips(checkpoint, data[split], options.clips or len(data[split]))
    if options.save:
        name = str(options.model)
        save(model_folder(name) if name in bundled_models() else Path(name), saved)


def measure_stills(
    checkpoint: Checkpoint, stills: StillSet, train: StillSet
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Print and give the figures on single stills, and the probabilities (N, K), the model as annotate runs it."""
    labels = list(checkpoint.model.architecture.labels)
    parts = parts_of(stills, train)
    table = Table("stills", "n", "accuracy", "UAR", "macro F1", title="single stills, 95 % intervals")
    probabilities = read(checkpoint.model, stills.images)
    ways = {
        ALL: probabilities,
        f"{ALL}, bfloat16": read(checkpoint.model, stills.images, "bfloat16"),
        f"{ALL}, averaged with their mirror images": (
            probabilities + read(checkpoint.model, np.ascontiguousarray(stills.images[:, :, ::-1]))
        )
        / 2,
    }
    if isinstance(checkpoint.model.head, BiLSTMHead):
        ways[f"{ALL}, by the encoder without the head"] = read(frames_alone(checkpoint.model), stills.images)
    main_figures: dict[str, Any] = {}
    rows = [(text, found, ALL) for text, found in ways.items()]
    rows += [(part, probabilities, part) for part in parts if part != ALL and parts[part].any()]
    for text, found, part in rows:
        counts = confusion_matrix(stills.labels[parts[part]], found[parts[part]].argmax(1), len(labels))
        figures = figures_of(counts)
        table.add_row(
            text,
            str(figures["n"]),
            *(with_interval(figures, key) for key in ("accuracy", "uar", "macro_f1")),
        )
        if text == ALL:
            calibration = reliability(probabilities.astype(np.float64), stills.labels)
            main_figures = {**figures, "ece": calibration.ece, "confusion_matrix": counts.tolist()}
        else:
            main_figures[text] = figures
    CONSOLE.print(table)
    CONSOLE.print(f"expected calibration error, {BINS} bins: {100 * main_figures['ece']:.1f} %")
    print_classes(np.array(main_figures["confusion_matrix"]), labels)
    return main_figures, probabilities


def read(model: SequenceClassifier, images: NDArray[np.uint8], precision: str = "float32") -> NDArray[np.float32]:
    """Probabilities (N, K) of grey stills (N, H, W) uint8, taken whole, each read alone."""
    return read_crops(Predictor(model, CPU, precision), taken_whole(images, model.architecture.preprocess.size))


def draw(
    folder: Path, checkpoint: Checkpoint, split: str, truth: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> None:
    """Draw the confusion matrix and the reliability of probabilities (N, K) of a split's stills."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = checkpoint.model.architecture.labels
    name = f"{checkpoint.name}-{split.lower()}"
    title = f"{checkpoint.name} on FER-2013 {split}, n = {len(truth)}"
    matrix = confusion_matrix(truth, probabilities.argmax(1), len(labels))
    for kind, figure in (
        ("matrix", plot_confusion_matrix(matrix, labels, title, shares=True)),
        ("reliability", plot_reliability(reliability(probabilities.astype(np.float64), truth), title)),
    ):
        with write_whole(folder / f"{name}-{kind}.png") as place:
            figure.savefig(place, format="png")
        CONSOLE.print(f"drawn: {folder / f'{name}-{kind}.png'}")


def print_classes(matrix: NDArray[np.int64], labels: list[str]) -> None:
    figures = metrics(matrix)
    table = Table("truth", "n", *labels, "recall", "precision", "F1", title="confusion matrix: rows are the truth")
    for k, name in enumerate(labels):
        shares = (f"{100 * value:.1f} %" for value in (figures.recall[k], figures.precision[k], figures.f1[k]))
        table.add_row(name, str(figures.support[k]), *(str(count) for count in matrix[k]), *shares)
    CONSOLE.print(table)


def measure_clips(checkpoint: Checkpoint, stills: StillSet, count: int) -> dict[str, Any]:
    """Print and give the head's figures on disturbed clips of the split's stills, beside the mean of frames."""
    head, rate = checkpoint.model.head, checkpoint.model.architecture.frame_rate
    assert isinstance(head, BiLSTMHead)
    table = Table(
        f"clips of stills, {CLIP_S} s",
        "n",
        "clip accuracy",
        "mean of frames",
        "gain",
        "frame accuracy",
        "frames alone",
        "ECE of frames",
        "label changes/s",
        "alone",
    )
    result: dict[str, Any] = {}
    for text, style in (
        ("disturbed, half of them change expression", ClipStyle(rate)),
        ("disturbed, steady", ClipStyle(rate, changes=0.0)),
        ("undisturbed, steady", ClipStyle(rate, changes=0.0, strength=NOTHING)),
    ):
        predictor = Predictor(checkpoint.model, CPU, "auto")
        clips = validation_clips(predictor, stills, count, round(CLIP_S * rate), style)
        figures: ClipFigures = measure_head(head, clips, rate)
        table.add_row(
            text,
            str(figures.clips),
            f"{100 * figures.clip_accuracy:.2f} %",
            f"{100 * figures.clip_accuracy_of_means:.2f} %",
            points(figures.gain),
            f"{100 * figures.frame_accuracy:.2f} %",
            f"{100 * figures.frame_accuracy_alone:.2f} %",
            f"{100 * figures.frame_ece:.1f} %",
            f"{figures.changes_per_s:.2f}",
            f"{figures.changes_per_s_alone:.2f}",
        )
        result[text] = vars(figures)
    CONSOLE.print(table)
    return result


def save(folder: Path, figures: dict[str, Any]) -> None:
    description = read_description(folder)
    description["metrics"].update(figures)
    with write_whole(folder / DESCRIPTION) as place:
        place.write_text(json.dumps(description, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    CONSOLE.print(f"saved in {folder / DESCRIPTION}")


if __name__ == "__main__":
    with errors_on_one_line():
        main()
