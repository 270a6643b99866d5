"""Predictions made up for tests."""

from __future__ import annotations

import numpy as np

from seqfer.evaluation.predictions import Predictions
from seqfer.labels import LabelSet

LABELS = LabelSet(("angry", "happy", "sad"))


def predictions(count: int = 60, subjects: int = 6, seed: int = 0, labels: LabelSet = LABELS) -> Predictions:
    """Clips of one to three frames; no clip is of the last label if there are more than three."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, min(3, len(labels)), count)
    logits = generator.normal(size=(count, len(labels))) + 2 * np.eye(len(labels))[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    lengths = generator.integers(1, 4, count)
    return Predictions(
        labels=labels,
        clip_ids=tuple(f"clip {k}" for k in range(count)),
        subject_ids=tuple(f"S{k % subjects}" if subjects else "" for k in range(count)),
        truth=truth,
        probabilities=probabilities,
        frame_times_s=tuple(tuple(t / 25 for t in range(length)) for length in lengths),
        frame_probabilities=tuple(
            np.repeat(row[None], length, 0).astype(np.float32)
            for row, length in zip(probabilities, lengths, strict=True)
        ),
    )
