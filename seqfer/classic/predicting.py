"""What a forest says of labelled clips, as predictions that all figures are derived from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch

from seqfer.classic.features import read_features
from seqfer.classic.model import ForestModel
from seqfer.classic.smote import oversampled
from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.errors import OptionError
from seqfer.evaluation.predictions import Predictions


def predict(
    model: ForestModel,
    packed: PackedClips,
    clips: Sequence[PackedClip],
    device: torch.device,
    resample: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Predictions:
    """Read labelled clips with a forest.

    Args:
        model: the forest and its encoder.
        packed: the cache that holds the clips, prepared for the encoder.
        clips: of the cache.
        device: where the encoder computes.
        resample: add synthetic clips by SMOTE, as in training, until all expressions are equally frequent. Figures
            of them say nothing of real clips.
        progress: called with the number of frames read so far, and of all.

    Returns:
        Predictions of the clips, then of the synthetic ones. A clip is read as a whole, as if it had one frame.

    Raises:
        OptionError: there is no clip, the model has no such label, or an expression has too few clips for SMOTE.
    """
    if not clips:
        raise OptionError("there is no clip to evaluate; choose a split that the manifest has")
    truth = np.array([model.labels.index(clip.label) for clip in clips], np.int64)
    features = read_features(model.encoder, packed, clips, device, progress)
    if resample:
        config, remedy = model.training["config"], "leave out --resample-test, or take a larger split"
        features, truth = oversampled(
            features, truth, model.labels, config["smote"]["neighbours"], config["seed"], remedy
        )
    probabilities = model.forest.probabilities(features[:, model.selected])
    # Named by what they are: those of two networks' features are no clips that both have been measured on.
    made = features[len(clips) :]
    digest = hashlib.sha256(made.tobytes()).hexdigest()[:8]
    synthetic = [f"synthetic {digest} {number}" for number in range(1, len(made) + 1)]
    return Predictions(
        labels=model.labels,
        clip_ids=(*(clip.clip_id for clip in clips), *synthetic),
        subject_ids=(*(clip.subject_id for clip in clips), *("" for _ in synthetic)),
        truth=truth,
        probabilities=probabilities,
        frame_times_s=((0.0,),) * len(truth),
        frame_probabilities=tuple(probabilities[:, None].astype(np.float32)),
    )
