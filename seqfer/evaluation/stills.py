"""What is said of a model on single stills: figures with 95 % intervals, on all and on unrepeated ones."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.fer2013 import StillSet
from seqfer.datasets.likeness import fingerprints, near_pairs
from seqfer.errors import OptionError
from seqfer.evaluation.bootstrap import bootstrap_intervals
from seqfer.evaluation.metrics import metrics, uar_interval, wilson_interval
from seqfer.faces.geometry import cut_square, middle_square
from seqfer.labels import FER7, LabelSet

ALL = "all"
NEW = "those that repeat no Training still"
UNLIKE = "those that do not even nearly repeat one"


def check_labels(labels: LabelSet) -> None:
    """Raise OptionError unless a model tells apart FER-2013's expressions, in their order."""
    if labels != FER7:
        raise OptionError(f"the model must tell apart {', '.join(FER7)}, not {', '.join(labels)}")


def parts_of(stills: StillSet, train: StillSet) -> dict[str, NDArray[np.bool_]]:
    """Which stills count, (N,) bool: all of them, and those that repeat no training still, exactly or nearly.

    Near repeats need OpenCV's contrib modules; without them that part is left out.
    """
    parts = {ALL: np.ones(len(stills), bool), NEW: ~np.isin(stills.keys(), train.keys())}
    if hasattr(cv2, "img_hash"):
        parts[UNLIKE] = np.ones(len(stills), bool)
        parts[UNLIKE][near_pairs(fingerprints(stills.images), fingerprints(train.images))[:, 0]] = False
    return parts


def taken_whole(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Grey stills (N, H, W) as crops (N, size, size, 1) of all that they show, or of their middle square."""
    if images.shape[1:] == (size, size):
        return images[..., None]
    square = middle_square(images.shape[2], images.shape[1])
    rgb = np.repeat(images[..., None], 3, axis=3)
    return np.stack([cut_square(image, square.centre, square.side, size)[..., :1] for image in rgb])


def figures_of(matrix: NDArray[np.int64]) -> dict[str, Any]:
    """Figures of a confusion matrix (K, K) of stills that count as independent.

    Intervals are Wilson's for accuracy, of binomial classes for UAR, and by bootstrap over stills for macro F1.
    """
    figures = metrics(matrix)
    truth, predicted = (np.repeat(index, matrix.reshape(-1)) for index in np.indices(matrix.shape).reshape(2, -1))
    bootstrap = bootstrap_intervals(truth, predicted, np.arange(figures.count), len(matrix))
    return {
        "n": figures.count,
        "accuracy": figures.accuracy,
        "accuracy_interval": wilson_interval(int(np.trace(matrix)), figures.count),
        "uar": figures.uar,
        "uar_interval": uar_interval(matrix),
        "macro_f1": figures.macro_f1,
        "macro_f1_interval": bootstrap["macro_f1"],
    }
