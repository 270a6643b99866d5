"""What a model says of labelled clips: made once, and all figures are derived from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.errors import OptionError
from seqfer.evaluation.metrics import confusion_matrix
from seqfer.labels import LabelSet
from seqfer.models.inference import Predictor

FRAMES_AT_ONCE = 256


@dataclass(frozen=True)
class Predictions:
    """Probabilities of clips, beside the truth.

    Attributes:
        labels: what was to be chosen from, K of them.
        clip_ids: (N,) of the clips.
        subject_ids: (N,) who is seen; "" where nobody knows.
        truth: (N,) int64 class indices.
        probabilities: (N, K) of each clip as a whole.
        frame_times_s: for each clip the times (T,) of its frames.
        frame_probabilities: for each clip (T, K).
    """

    labels: LabelSet
    clip_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    frame_times_s: tuple[tuple[float, ...], ...]
    frame_probabilities: tuple[NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        counts = {len(values) for values in vars(self).values() if not isinstance(values, LabelSet)}
        if len(counts) != 1 or self.probabilities.shape[1:] != (len(self.labels),):
            raise ValueError(f"shapes do not fit: {self!r}")

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __repr__(self) -> str:
        return f"Predictions({len(self)} clips, {len(self.labels)} labels)"

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the class with most probability."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    def matrix(self) -> NDArray[np.int64]:
        """Counts (K, K) of clips, rows are the truth."""
        return confusion_matrix(self.truth, self.predicted, len(self.labels))


def units_of(subject_ids: Sequence[str]) -> tuple[NDArray[np.int64], str]:
    """Which of N clips are not independent of each other: a number (N,) for each, and what the numbers count.

    They count "subjects", "clips" where no subject is known, or "subjects and single clips": clips of one subject
    belong together, a clip whose subject is not known is on its own.
    """
    known = np.array([bool(name) for name in subject_ids], bool)
    units = np.arange(len(subject_ids))
    subjects, own = np.unique(np.array(subject_ids)[known], return_inverse=True)
    units[known] = own
    units[~known] = len(subjects) + np.arange(np.count_nonzero(~known))
    if not known.any():
        return units, "clips"
    return units, "subjects" if known.all() else "subjects and single clips"


def predict(
    predictor: Predictor,
    packed: PackedClips,
    clips: Sequence[PackedClip],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Predictions:
    """Read labelled clips with a model.

    Args:
        predictor: the model.
        packed: the cache that holds the clips, prepared for the model.
        clips: of the cache.
        progress: called with the number of clips read so far, and of all.

    Raises:
        OptionError: there is no clip, the model has no such label, or the cache was prepared for another model.
    """
    labels, wanted = predictor.architecture.labels, predictor.architecture.preprocess
    if not clips:
        raise OptionError("there is no clip to evaluate; choose a split that the manifest has")
    if packed.preprocess != wanted.of_crops(packed.faces):
        raise OptionError(f"the cache holds crops made by {packed.preprocess}, but the model reads {wanted}")
    truth = np.array([labels.index(clip.label) for clip in clips], np.int64)
    frames: list[NDArray[np.float32]] = []
    wholes: list[NDArray[np.float32]] = []
    for batch in _batches(clips):
        embeddings = predictor.encode(np.concatenate([packed.frames_of(clip) for clip in batch]))
        if all(clip.length == 1 for clip in batch):
            # Stills need no windows in time; a still's frame and the clip as a whole are the same.
            alone = predictor.read_stills(embeddings)
            frames += list(alone[:, None])
            wholes += list(alone)
            progress(len(wholes), len(clips))
            continue
        start = 0
        for clip in batch:
            own = embeddings[start : start + clip.length]
            start += clip.length
            by_frame, whole = predictor.read_clip(own, np.array(clip.times_s))
            frames.append(by_frame)
            wholes.append(whole)
        progress(len(wholes), len(clips))
    return Predictions(
        labels=labels,
        clip_ids=tuple(clip.clip_id for clip in clips),
        subject_ids=tuple(clip.subject_id for clip in clips),
        truth=truth,
        probabilities=np.stack(wholes).astype(np.float64),
        frame_times_s=tuple(clip.times_s for clip in clips),
        frame_probabilities=tuple(frames),
    )


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several models for clips of their own, as of the folds of a cross-validation, together.

    Raises:
        OptionError: the models do not tell the same labels apart.
    """
    labels = {part.labels for part in parts}
    if len(labels) != 1:
        raise OptionError("predictions of different label sets cannot be counted together")

    def together(name: str) -> tuple[Any, ...]:
        return tuple(entry for part in parts for entry in getattr(part, name))

    return Predictions(
        labels=labels.pop(),
        clip_ids=together("clip_ids"),
        subject_ids=together("subject_ids"),
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        frame_times_s=together("frame_times_s"),
        frame_probabilities=together("frame_probabilities"),
    )


def _batches(clips: Sequence[PackedClip]) -> list[list[PackedClip]]:
    """Clips in a row that have about `FRAMES_AT_ONCE` frames together; a longer one is a batch of its own."""
    batches: list[list[PackedClip]] = [[]]
    room = FRAMES_AT_ONCE
    for clip in clips:
        if batches[-1] and clip.length > room:
            batches.append([])
            room = FRAMES_AT_ONCE
        batches[-1].append(clip)
        room -= clip.length
    return batches
