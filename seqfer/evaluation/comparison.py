"""Two models on the same clips: what separates them, and whether that is more than chance."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from seqfer.datasets.types import usual_order
from seqfer.errors import DatasetError
from seqfer.evaluation.bootstrap import FIGURES, RESAMPLES, draw, figures_of, interval
from seqfer.evaluation.metrics import confusion_matrix, metrics
from seqfer.evaluation.predictions import units_of
from seqfer.labels import LabelSet

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
ORIGIN = ("model", "data", "data_sha256", "split", "faces", "precision", "left_out", "leaky", "version")


@dataclass(frozen=True)
class Answers:
    """What an evaluation's `predictions.csv` says.

    Attributes:
        labels: K names.
        clip_ids, subject_ids: (N,) of the clips.
        truth, predicted: (N,) class indices.
        origin: the folder, and what `metrics.json` in it says of model, data and split.
    """

    labels: LabelSet
    clip_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    origin: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Model A beside model B.

    Attributes:
        labels: K names.
        matrices: (K, K) of A and of B.
        figures: name to A's value, B's, B's less A's, and the difference's 95 % interval (low, high).
        units: what was resampled, as `units_of` calls it, and how many there are.
        only_a, only_b: clips that A alone, or B alone, answers rightly.
        p: of McNemar's exact test (1947): how likely so uneven a split is if neither is better. It takes clips
            for independent.
        origins: what is known of A's and of B's evaluation.
    """

    labels: LabelSet
    matrices: tuple[NDArray[np.int64], NDArray[np.int64]]
    figures: dict[str, tuple[float, float, float, float, float]]
    units: tuple[str, int]
    only_a: int
    only_b: int
    p: float
    origins: tuple[dict[str, Any], dict[str, Any]] = field(default_factory=lambda: ({}, {}))


def read_answers(folder: Path) -> Answers:
    """The predictions in an evaluation's folder.

    Raises:
        DatasetError: there are none, or they are malformed.
    """
    path = folder / PREDICTIONS
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            rows = list(reader)
        labels = LabelSet(tuple(name.removeprefix("p_") for name in columns if name.startswith("p_")))
        return Answers(
            labels=labels,
            clip_ids=tuple(row["clip_id"] for row in rows),
            subject_ids=tuple(row["subject_id"] for row in rows),
            truth=np.array([labels.index(row["label"]) for row in rows], np.int64),
            predicted=np.array([labels.index(row["predicted"]) for row in rows], np.int64),
            origin={"folder": str(folder).encode("utf-8", "replace").decode(), **_origin(folder / METRICS)},
        )
    except OSError as error:
        raise DatasetError(
            path, f"cannot be read ({error.strerror}); give a folder of `seqfer evaluate`"
        ) from error
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(path, f"is no table of predictions ({error})") from error


def _origin(path: Path) -> dict[str, Any]:
    """What an evaluation was made of, if its folder says so."""
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        named = isinstance(document["model"]["name"], str)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(path, f"is no record of `seqfer evaluate` ({error})") from error
    if not named:
        raise DatasetError(path, "is no record of `seqfer evaluate` (model.name is no text)")
    return {name: document[name] for name in ORIGIN if name in document}


def compare(a: Answers, b: Answers, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare two models by paired resampling: each draw takes the same subjects (or clips) for both.

    A model may know more expressions than the other one: what it answers outside the truth is wrong.

    Raises:
        DatasetError: the two were not measured on the same clips with the same truth.
    """
    if a.labels != b.labels:
        labels = LabelSet(usual_order((*a.labels, *b.labels)))
        a, b = _relabelled(a, labels), _relabelled(b, labels)
    order = {clip_id: position for position, clip_id in enumerate(b.clip_ids)}
    different = set(a.clip_ids) ^ set(b.clip_ids)
    if different or not a.clip_ids:
        example = f", such as {min(different)}" if different else ""
        raise DatasetError(PREDICTIONS, f"the two have {len(different)} clips that the other has not{example}")
    same = np.array([order[clip_id] for clip_id in a.clip_ids])
    if (a.truth != b.truth[same]).any():
        first = a.clip_ids[int(np.flatnonzero(a.truth != b.truth[same])[0])]
        raise DatasetError(PREDICTIONS, f"the two have different labels for clip {first}")
    count = len(a.labels)
    units, kind = units_of(_subjects(a, [b.subject_ids[position] for position in same]))
    answers = a.predicted, b.predicted[same]
    matrices = tuple(confusion_matrix(a.truth, predicted, count) for predicted in answers)
    wholes = [metrics(matrix) for matrix in matrices]
    drawn = [
        figures_of(draw(a.truth, predicted, units, count, resamples, seed), matrix)
        for predicted, matrix in zip(answers, matrices, strict=True)
    ]
    figures = {}
    for name in FIGURES:
        own, other = (float(getattr(whole, name)) for whole in wholes)
        figures[name] = (own, other, other - own, *interval(drawn[1][name] - drawn[0][name]))
    right_a, right_b = (predicted == a.truth for predicted in answers)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Comparison(
        labels=a.labels,
        matrices=(matrices[0], matrices[1]),
        figures=figures,
        units=(kind, int(units.max()) + 1),
        only_a=only_a,
        only_b=only_b,
        p=p,
        origins=(a.origin, b.origin),
    )


def _subjects(a: Answers, others: Sequence[str]) -> list[str]:
    """Each clip's subject, as either evaluation knows it."""
    for clip_id, one, other in zip(a.clip_ids, a.subject_ids, others, strict=True):
        if one and other and one != other:
            raise DatasetError(PREDICTIONS, f"the two have different subjects for clip {clip_id}: {one}, {other}")
    return [one or other for one, other in zip(a.subject_ids, others, strict=True)]


def _relabelled(answers: Answers, labels: LabelSet) -> Answers:
    """The same answers, as indices into a larger label set."""
    index = np.array([labels.index(name) for name in answers.labels], np.int64)
    return replace(answers, labels=labels, truth=index[answers.truth], predicted=index[answers.predicted])
