"""An evaluation's files: figures as JSON, tables as CSV, pictures, and a report to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer.evaluation.bootstrap import RESAMPLES, bootstrap_intervals
from seqfer.evaluation.calibration import Reliability, reliability
from seqfer.evaluation.figures import plot_confusion_matrix, plot_reliability
from seqfer.evaluation.metrics import Metrics, confusion_matrix, metrics
from seqfer.evaluation.predictions import Predictions, units_of
from seqfer.evaluation.tables import bounds, markdown_table, percent, write_csv

WHAT_IT_SAYS = (
    "These figures say how often a classifier's reading agrees with the labels of this data set. "
    "Its probabilities are not a person's feelings, and no measure of them."
)
FIGURES = ("accuracy", "uar", "macro_precision", "macro_f1", "weighted_precision", "weighted_f1")
FEW_UNITS = 10  # subjects or clips, from which on a bootstrap interval begins to mean what it says
# Everything that an evaluation may leave in its folder.
OWN_FILES = (
    "metrics.json",
    "predictions.csv",
    "frame_predictions.csv",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "confusion_matrix_normalized.png",
    "reliability.png",
    "mistakes.png",
    "report.md",
)


@dataclass(frozen=True)
class Evaluation:
    """Predictions and everything that is derived from them.

    Attributes:
        predictions: of the model.
        matrix: (K, K) counts of clips, rows are the truth.
        figures: of the matrix.
        intervals: of accuracy, UAR and macro F1, by bootstrap over `units`.
        units: what was resampled, as `units_of` calls it, and how many there are.
        calibration: of the clips' probabilities.
        subjects: for each known subject the clips and the figures.
        origin: model, data, split and versions, as they go into the report.
        leaky: why the figures cannot be trusted; "" for no known reason.
    """

    predictions: Predictions
    matrix: NDArray[np.int64]
    figures: Metrics
    intervals: dict[str, tuple[float, float]]
    units: tuple[str, int]
    calibration: Reliability
    subjects: dict[str, Metrics]
    origin: dict[str, Any]
    leaky: str = ""


def evaluate(predictions: Predictions, origin: dict[str, Any], leaky: str = "") -> Evaluation:
    """Derive all figures from predictions."""
    matrix = predictions.matrix()
    units, kind = units_of(predictions.subject_ids)
    labels = len(predictions.labels)
    return Evaluation(
        predictions=predictions,
        matrix=matrix,
        figures=metrics(matrix),
        intervals=bootstrap_intervals(predictions.truth, predictions.predicted, units, labels),
        units=(kind, int(units.max()) + 1),
        calibration=reliability(predictions.probabilities, predictions.truth),
        subjects=dict(_by_subject(predictions)),
        origin=origin,
        leaky=leaky,
    )


def write_evaluation(evaluation: Evaluation, folder: Path, frames: bool = False) -> None:
    """Write an evaluation's files into an existing folder.

    Args:
        evaluation: what to write.
        folder: where.
        frames: write the probabilities of each frame too.
    """
    predictions, labels = evaluation.predictions, evaluation.predictions.labels
    title = f"{evaluation.origin['model']['name']} on {evaluation.origin['data']}, {evaluation.origin['split']}"
    document = json.dumps(to_document(evaluation), indent=2, allow_nan=False)
    (folder / "metrics.json").write_text(document + "\n", encoding="utf-8")
    write_csv(folder / "predictions.csv", _clip_rows(predictions))
    if frames:
        write_csv(folder / "frame_predictions.csv", _frame_rows(predictions))
    rows = [["truth", *labels], *([name, *counts] for name, counts in zip(labels, evaluation.matrix, strict=True))]
    write_csv(folder / "confusion_matrix.csv", rows)
    for name, shares in (("confusion_matrix", False), ("confusion_matrix_normalized", True)):
        plot_confusion_matrix(evaluation.matrix, labels, title, shares).savefig(folder / f"{name}.png")
    plot_reliability(evaluation.calibration, title).savefig(folder / "reliability.png")
    (folder / "report.md").write_text(to_markdown(evaluation), encoding="utf-8")


def to_document(evaluation: Evaluation) -> dict[str, Any]:
    """All figures in plain numbers, texts, lists and mappings."""
    figures, labels = evaluation.figures, evaluation.predictions.labels
    classes = {
        name: {
            "support": int(figures.support[k]),
            "precision": float(figures.precision[k]),
            "recall": float(figures.recall[k]),
            "f1": float(figures.f1[k]),
        }
        for k, name in enumerate(labels)
    }
    return {
        "note": WHAT_IT_SAYS,
        **evaluation.origin,
        "leaky": evaluation.leaky,
        "clips": figures.count,
        **{name: getattr(figures, name) for name in FIGURES},
        "intervals": {
            "level": 0.95,
            "method": f"percentile bootstrap over {evaluation.units[0]}",
            "units": evaluation.units[1],
            "resamples": RESAMPLES,
            **{name: list(bounds) for name, bounds in evaluation.intervals.items()},
        },
        "ece": evaluation.calibration.ece,
        "classes": classes,
        "confusion_matrix": evaluation.matrix.tolist(),
        "subjects": {
            name: {"clips": found.count, "accuracy": found.accuracy, "uar": found.uar}
            for name, found in evaluation.subjects.items()
        },
    }


def to_markdown(evaluation: Evaluation) -> str:
    """The report: what was measured, on what, how sure it is, and where the mistakes are."""
    figures, labels, origin = evaluation.figures, evaluation.predictions.labels, evaluation.origin
    kind, count = evaluation.units
    absent = [name for name, support in zip(labels, figures.support, strict=True) if support == 0]
    lines = [f"# {origin['model']['name']} on {origin['data']}, split {origin['split']}", ""]
    if evaluation.leaky:
        lines += [f"> **These figures cannot be trusted**: {evaluation.leaky}.", ""]
    left_out = origin.get("left_out", 0)
    counted = f"{figures.count} clips, {len(evaluation.subjects) or 'no known'} subjects."
    if left_out:
        counted += f" **{left_out} more could not be read or show no face**: they count for nothing."
    lines += [WHAT_IT_SAYS, "", counted, ""]
    lines += markdown_table(
        ["figure", "value", "95 % interval"],
        [
            ["accuracy (WAR)", percent(figures.accuracy), bounds(evaluation.intervals["accuracy"])],
            ["UAR (mean recall of the classes)", percent(figures.uar), bounds(evaluation.intervals["uar"])],
            ["macro F1", percent(figures.macro_f1), bounds(evaluation.intervals["macro_f1"])],
            ["macro precision", percent(figures.macro_precision), ""],
            ["weighted precision", percent(figures.weighted_precision), ""],
            ["weighted F1", percent(figures.weighted_f1), ""],
            ["expected calibration error", percent(evaluation.calibration.ece), ""],
        ],
    )
    lines += [f"Intervals: bootstrap over {count} {kind}, {RESAMPLES} resamples.", ""]
    if count < FEW_UNITS:
        lines += [f"**{count} {kind} are too few for an interval**: these are narrower than they should be.", ""]
    if kind != "subjects":
        unknown = "Subjects are not known, so clips" if kind == "clips" else "Clips whose subject is not known"
        lines += [f"{unknown} count as independent; if they are not, intervals are wider.", ""]
    if absent:
        lines += [f"No clip is {', '.join(absent)}: UAR and macro figures are means over the other classes.", ""]
    by_class = [figures.of_classes(name) for name in ("precision", "recall", "f1")]
    lines += ["## Classes", ""]
    lines += markdown_table(
        ["label", "clips", "precision", "recall", "F1"],
        [
            [name, str(figures.support[k]), *(percent(values[k]) for values in by_class)]
            for k, name in enumerate(labels)
        ],
    )
    lines += ["![Confusion matrix](confusion_matrix_normalized.png)", "", "![Reliability](reliability.png)", ""]
    if evaluation.subjects:
        lines += ["## Subjects", ""]
        lines += markdown_table(
            ["subject", "clips", "accuracy", "UAR"],
            [
                [name, str(found.count), percent(found.accuracy), percent(found.uar)]
                for name, found in evaluation.subjects.items()
            ],
        )
    lines += ["## How it was made", "", "```json", json.dumps(origin, indent=2), "```", ""]
    return "\n".join(lines)


def most_confident_mistakes(predictions: Predictions, count: int) -> list[int]:
    """Positions of the wrongly answered clips in which the model was surest, the surest first."""
    wrong = np.flatnonzero(predictions.predicted != predictions.truth)
    confidence = predictions.probabilities.max(1)[wrong]
    return [int(position) for position in wrong[np.argsort(-confidence, kind="stable")][:count]]


def _by_subject(predictions: Predictions) -> Iterable[tuple[str, Metrics]]:
    subjects = np.array(predictions.subject_ids)
    for name in sorted(set(predictions.subject_ids) - {""}):
        own = subjects == name
        counts = confusion_matrix(predictions.truth[own], predictions.predicted[own], len(predictions.labels))
        yield name, metrics(counts)


def _clip_rows(predictions: Predictions) -> Iterable[Sequence[object]]:
    labels = predictions.labels.names
    yield ["clip_id", "subject_id", "label", "predicted", "confidence", *(f"p_{name}" for name in labels)]
    for k, clip_id in enumerate(predictions.clip_ids):
        row = predictions.probabilities[k]
        truth, leader = labels[predictions.truth[k]], labels[int(row.argmax())]
        yield [clip_id, predictions.subject_ids[k], truth, leader, f"{row.max():.5f}", *(f"{p:.5f}" for p in row)]


def _frame_rows(predictions: Predictions) -> Iterable[Sequence[object]]:
    labels = predictions.labels.names
    yield ["clip_id", "time_s", "label", "predicted", "confidence", *(f"p_{name}" for name in labels)]
    for k, clip_id in enumerate(predictions.clip_ids):
        truth = labels[predictions.truth[k]]
        for time, row in zip(predictions.frame_times_s[k], predictions.frame_probabilities[k], strict=True):
            leader = labels[int(row.argmax())]
            yield [clip_id, f"{time:.6f}", truth, leader, f"{row.max():.5f}", *(f"{p:.5f}" for p in row)]
