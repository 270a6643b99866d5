#!/usr/bin/env python
"""Measure a model on FER-2013: what the README and the model's card say of it.

    python scripts/measure_model.py compact --fer2013 fer2013.zip

PublicTest is the split that chose the model, PrivateTest the one it is measured on. Nothing is chosen by what this
prints. With --save the figures go into the model's own model.json.
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

from seqfer.datasets.fer2013 import StillSet, load_fer2013
from seqfer.evaluation.metrics import confusion_matrix, metrics
from seqfer.evaluation.stills import ALL, NEW, UNLIKE, figures_of, parts_of, shown
from seqfer.files import write_whole
from seqfer.models.bundled import bundled_models, load_model, model_folder
from seqfer.models.checkpoint import DESCRIPTION, Checkpoint, read_description
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import Predictor, classify_stills
from seqfer.training.clips import ClipStyle
from seqfer.training.head import ClipFigures, measure_head, validation_clips

CONSOLE = Console(width=120)
CPU = torch.device("cpu")
CLIP_FRAMES = 50  # two seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder")
    parser.add_argument("--fer2013", type=Path, required=True, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--only-public", action="store_true", help="leave PrivateTest alone")
    parser.add_argument("--save", action="store_true", help="write the figures into the model's model.json")
    options = parser.parse_args()
    checkpoint = load_model(options.model)
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
        saved[name] = measure_stills(checkpoint, data[split], data["train"])
        if isinstance(checkpoint.model.head, BiLSTMHead):
            saved[name]["clips"] = measure_clips(checkpoint, data[split])
    if options.save:
        name = str(options.model)
        save(model_folder(name) if name in bundled_models() else Path(name), saved)


def measure_stills(checkpoint: Checkpoint, stills: StillSet, train: StillSet) -> dict[str, Any]:
    """Print and give the figures on single stills, the model as annotate runs it."""
    labels = list(checkpoint.model.architecture.labels)
    parts = parts_of(stills, train)
    table = Table("stills", "n", "accuracy", "UAR", "macro F1", title="single stills, 95 % intervals")
    main_figures: dict[str, Any] = {}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for text, precision, flip, chosen in (
        (ALL, "float32", False, ALL),
        (f"{ALL}, bfloat16", "bfloat16", False, ALL),
        (f"{ALL}, averaged with their mirror images", "float32", True, ALL),
        (NEW, "float32", False, NEW),
        (UNLIKE, "float32", False, UNLIKE),
    ):
        part = stills.select(parts[chosen])
        predicted = read(checkpoint, part.images, precision, flip).argmax(1)
        counts = confusion_matrix(part.labels, predicted, len(labels))
        figures = figures_of(counts)
        table.add_row(
            text,
            str(figures["n"]),
            *(shown(figures, key) for key in ("accuracy", "uar", "macro_f1")),
        )
        if text == ALL:
            main_figures, matrix = figures, counts
        else:
            main_figures[text] = {key: figures[key] for key in ("n", "accuracy", "uar")}
    CONSOLE.print(table)
    print_classes(matrix, labels)
    return {**main_figures, "confusion_matrix": matrix.tolist()}


def read(checkpoint: Checkpoint, images: NDArray[np.uint8], precision: str, flip: bool) -> NDArray[np.float32]:
    views = [images, np.ascontiguousarray(images[:, :, ::-1])] if flip else [images]
    probabilities = [classify_stills(checkpoint.model, view, CPU, precision) for view in views]
    return np.asarray(np.mean(probabilities, axis=0), np.float32)


def print_classes(matrix: NDArray[np.int64], labels: list[str]) -> None:
    figures = metrics(matrix)
    table = Table("truth", "n", *labels, "recall", "precision", "F1", title="confusion matrix: rows are the truth")
    for k, name in enumerate(labels):
        shares = (f"{100 * value:.1f} %" for value in (figures.recall[k], figures.precision[k], figures.f1[k]))
        table.add_row(name, str(figures.support[k]), *(str(count) for count in matrix[k]), *shares)
    CONSOLE.print(table)


def measure_clips(checkpoint: Checkpoint, stills: StillSet) -> dict[str, Any]:
    """Print and give the head's figures on disturbed clips of the split's stills, beside the mean of frames."""
    head = checkpoint.model.head
    assert isinstance(head, BiLSTMHead)
    table = Table(
        "clips of stills, 2 s",
        "n",
        "clip accuracy",
        "mean of frames",
        "frame accuracy",
        "frames alone",
        "label changes/s",
        "alone",
    )
    result: dict[str, Any] = {}
    for text, style in (
        ("disturbed, half of them change expression", ClipStyle()),
        ("disturbed, steady", ClipStyle(changes=0.0)),
    ):
        predictor = Predictor(checkpoint.model, CPU, "auto")
        clips = validation_clips(predictor, stills, len(stills), CLIP_FRAMES, style)
        figures: ClipFigures = measure_head(head, clips, checkpoint.model.architecture.frame_rate)
        table.add_row(
            text,
            str(figures.clips),
            f"{100 * figures.clip_accuracy:.2f} %",
            f"{100 * figures.clip_accuracy_of_means:.2f} %",
            f"{100 * figures.frame_accuracy:.2f} %",
            f"{100 * figures.frame_accuracy_alone:.2f} %",
            f"{figures.changes_per_s:.2f}",
            f"{figures.changes_per_s_alone:.2f}",
        )
        result[text] = vars(figures)
    CONSOLE.print(table)
    return result


def save(folder: Path, figures: dict[str, Any]) -> None:
    description = read_description(folder)
    description["metrics"] = figures
    with write_whole(folder / DESCRIPTION) as place:
        place.write_text(json.dumps(description, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    CONSOLE.print(f"saved in {folder / DESCRIPTION}")


if __name__ == "__main__":
    main()
