"""Timelines made by hand for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from seqfer.labels import FER7
from seqfer.timeline.types import SegmentOptions, Timeline
from seqfer.video.types import VideoInfo

# What a track shows in which frame: a label, or probabilities.
Faces = dict[int, str | Sequence[float]]


def timeline(
    tracks: Mapping[int, Faces],
    frames: int,
    rate: float = 25.0,
    times: Sequence[float] | None = None,
    options: SegmentOptions | None = None,
    path: Path = Path("clip.mp4"),
) -> Timeline:
    """A timeline from {track: {frame: label or probabilities}}; a label alone gets 0.88, the others 0.02 each."""
    rows = sorted((frame, track) for track, faces in tracks.items() for frame in faces)
    probabilities = np.zeros((len(rows), 7))
    for row, (frame, track) in enumerate(rows):
        said = tracks[track][frame]
        if isinstance(said, str):
            probabilities[row] = 0.02
            probabilities[row, FER7.index(said)] = 0.88
        else:
            probabilities[row] = said
    frame_times = np.arange(frames) / rate if times is None else np.array(times, np.float64)
    return Timeline(
        video=VideoInfo(path, 640, 360, Fraction(rate), frames / rate, frames),
        label_set=FER7,
        frame_index=np.arange(frames),
        frame_time_s=frame_times,
        end_s=float(frame_times[-1] + 1 / rate) if frames else 0.0,
        face_frame=np.array([frame for frame, _ in rows], np.int64),
        track_id=np.array([track for _, track in rows], np.int64),
        boxes=np.array([[10.0 * track, 5.0, 10.0 * track + 60, 65.0] for _, track in rows]).reshape(-1, 4),
        detection_score=np.full(len(rows), 0.9),
        probabilities=probabilities,
        options=options or SegmentOptions(),
        provenance={"model": {"name": "compact", "sha256": "0" * 64}, "decoding": {"lost": 0}},
    )


def spans(labels: Sequence[tuple[str, int]], start: int = 0) -> Faces:
    """{frame: label} for stretches of so many frames; "" is a stretch without the face."""
    faces: Faces = {}
    for label, count in labels:
        faces.update({frame: label for frame in range(start, start + count) if label})
        start += count
    return faces
