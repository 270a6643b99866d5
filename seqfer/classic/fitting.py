"""Fitting a forest: features of training clips in, a model out, by SMOTE, ants and trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer import __version__
from seqfer.classic.ants import Iteration, Selection, select_features
from seqfer.classic.config import ClassicConfig
from seqfer.classic.features import FrozenEncoder
from seqfer.classic.forest import grow_forest
from seqfer.classic.model import ForestModel
from seqfer.classic.smote import check_counts, counted, oversampled
from seqfer.datasets.packed import PackedClip
from seqfer.datasets.types import ClipRecord, usual_order
from seqfer.errors import OptionError
from seqfer.labels import LabelSet
from seqfer.machine import installed_version

LIBRARIES = ("numpy", "torch", "scikit-learn", "imbalanced-learn")  # whose versions may change a model


def check_clips(config: ClassicConfig, clips: Sequence[PackedClip | ClipRecord]) -> LabelSet:
    """The labels of a data set whose split `train` a forest can learn.

    Raises:
        OptionError: no clip is in that split, none in it shows one of the labels, or too few for SMOTE do.
    """
    counts = counted(clip.label for clip in clips if clip.split == "train")
    if not counts:
        raise OptionError(
            "there is no training clip; the manifest needs the split train, as --split subject:70/30"
        )
    labels = LabelSet(usual_order(clip.label for clip in clips))
    absent = [name for name in labels if name not in counts]
    if absent:
        raise OptionError(
            f"no training clip shows {', '.join(absent)}, so it cannot be learnt; split otherwise, or leave its "
            "clips out of the manifest"
        )
    if config.smote.on:
        check_counts(counts, config.smote.neighbours)
    return labels


def fit_forest(
    config: ClassicConfig,
    labels: LabelSet,
    encoder: FrozenEncoder,
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    data: dict[str, Any],
    tell: Callable[[str], None] = lambda text: None,
) -> ForestModel:
    """Fit a forest on features of training clips.

    Args:
        config: the settings.
        labels: K of them.
        encoder: that the features come from.
        features: (N, D) of the training clips.
        truth: (N,) class indices; each class occurs.
        data: what the clips are, for the model's record.
        tell: called with a line about each stage when it is done.

    Returns:
        The model; of the same features the same, bit for bit.

    Raises:
        OptionError: a class has too few clips for SMOTE.
        ModelError: no feature tells classes apart.
    """
    began = perf_counter()

    def done(text: str) -> None:
        nonlocal began
        now = perf_counter()
        tell(f"{text}, {now - began:.1f} s")
        began = now

    clips, dimensions = features.shape
    if config.smote.on:
        features, truth = oversampled(features, truth, labels, config.smote.neighbours, config.seed)
        done(f"SMOTE: {clips} -> {len(features)} samples")
    selected, selection = np.arange(dimensions), None
    if config.selection.on:
        # The real samples come first, and they alone choose.
        selection = _select(features[:clips], truth[:clips], config, tell)
        selected = selection.features
        features = features[:, selected]
        done(
            f"selected {len(selected)} of {dimensions} features ({selection.candidates} are worth more "
            f"than 95 % of shuffled ones), leave-one-out fitness {selection.fitness:.3f} on {selection.rows} clips"
        )
    forest = grow_forest(features, truth, config.forest.trees, config.seed)
    done(f"forest: {config.forest.trees} trees, {len(forest.feature)} nodes")
    training = {
        "config": asdict(config),
        "data": data,
        "clips": {"before_smote": clips, "after_smote": len(features)},
        "features": {"all": dimensions, "selected": len(selected)},
        "selection": selection and {key: value for key, value in asdict(selection).items() if key != "features"},
        "seed": config.seed,
        "versions": {"seqfer": __version__, **{name: installed_version(name) for name in LIBRARIES}},
    }
    return ForestModel(labels, encoder, selected, forest, training)


def _select(
    features: NDArray[np.float32], truth: NDArray[np.int64], config: ClassicConfig, tell: Callable[[str], None]
) -> Selection:
    def report(iteration: Iteration) -> None:
        tell(
            f"ants {iteration.number}/{config.selection.iterations}: best fitness {iteration.fitness:.3f} "
            f"(mean of the ants {iteration.mean_fitness:.3f}), {iteration.size} features"
        )

    return select_features(features, truth, config.selection, config.seed, report)
