"""Timeline: every frame of a video, every face in it, and what the model reads in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.labels import LabelSet
from seqfer.video.types import VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

# Goes with every report: what the numbers are, and what they are not.
WHAT_IT_SAYS = "Probabilities are a classifier's reading of a posed-expression scheme, not a person's feelings."


@dataclass(frozen=True)
class SegmentOptions:
    """How probabilities per frame become segments.

    Attributes:
        smoothing_s: width of the centred moving average over the probabilities, in seconds; 0 for none.
        onset: smoothed probability at which a label's segment begins.
        offset: smoothed probability below which it ends, at most `onset`.
        min_duration_s: shorter segments are left out, shorter interruptions bridged.
        max_gap_s: a face unseen for longer ends its segment.
    """

    smoothing_s: float = 0.25
    onset: float = 0.5
    offset: float = 0.35
    min_duration_s: float = 0.25
    max_gap_s: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.offset <= self.onset <= 1:
            raise OptionError(f"offset ({self.offset:g}) must not exceed onset ({self.onset:g}), both in [0, 1]")
        for name in ("smoothing_s", "min_duration_s", "max_gap_s"):
            if not 0 <= getattr(self, name) < 3600:
                raise OptionError(f"{name} must lie in [0, 3600) seconds, not {getattr(self, name)}")


@dataclass(frozen=True)
class Segment:
    """A stretch of one track in which one expression leads.

    Attributes:
        track_id: whose.
        label: the expression.
        start_s: seconds from the first frame shown.
        end_s: the first moment that is no longer part of it.
        mean_probability: of the label over the segment's frames, not smoothed.
    """

    track_id: int
    label: str
    start_s: float
    end_s: float
    mean_probability: float

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"a segment ends after it starts: [{self.start_s}, {self.end_s})")

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Timeline:
    """What was read in a video: F frames, N faces in them, K expressions.

    Frames and faces are kept as columns; a frame without a face is a frame that no face points at.

    Attributes:
        video: the container's facts.
        label_set: the K expressions.
        frame_index: (F,) int, position of each frame that was read among the video's decoded frames.
        frame_time_s: (F,) float, strictly increasing seconds from the first frame shown.
        end_s: when the last frame ceases to be shown.
        face_frame: (N,) int in [0, F), non-decreasing: the frame, by its row above, that holds the face.
        track_id: (N,) int from 1: whose face; each at most once in a frame.
        boxes: (N, 4) float, x1, y1, x2, y2 in pixels of the upright frame.
        detection_score: (N,) float in [0, 1].
        probabilities: (N, K) float, rows sum to 1.
        options: how segments are made.
        provenance: everything else that is needed to make the timeline again.
    """

    video: VideoInfo
    label_set: LabelSet
    frame_index: NDArray[np.int64]
    frame_time_s: NDArray[np.float64]
    end_s: float
    face_frame: NDArray[np.int64]
    track_id: NDArray[np.int64]
    boxes: NDArray[np.float64]
    detection_score: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    options: SegmentOptions = field(default_factory=SegmentOptions)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames, faces = len(self.frame_index), len(self.face_frame)
        shapes = {
            "frame_time_s": (frames,),
            "track_id": (faces,),
            "boxes": (faces, 4),
            "detection_score": (faces,),
            "probabilities": (faces, len(self.label_set)),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must be {shape}, not {getattr(self, name).shape}")
        if np.any(np.diff(self.frame_time_s) <= 0) or np.any(np.diff(self.frame_index) <= 0):
            raise ValueError("frames must stand in the order of time, each once")
        if faces and not (self.face_frame.min() >= 0 and self.face_frame.max() < frames):
            raise ValueError("a face points at a frame that is not there")
        if np.any(np.diff(self.face_frame) < 0):
            raise ValueError("faces must stand in the order of their frames")
        if not np.allclose(self.probabilities.sum(1), 1, atol=1e-3):
            raise ValueError("the probabilities of each face must sum to 1")

    def __repr__(self) -> str:
        return (
            f"Timeline({self.video.path.name!r}, {len(self.frame_index)} frames, {self.end_s:.3f} s, "
            f"{len(self.tracks())} tracks, {len(self.face_frame)} faces)"
        )

    def tracks(self) -> list[int]:
        """The track ids, ascending."""
        return [int(track) for track in np.unique(self.track_id)]

    def labels(self) -> list[str]:
        """The leading expression of each of the N faces."""
        names = self.label_set.names
        return [names[index] for index in self.probabilities.argmax(1)]

    def face_time_s(self) -> NDArray[np.float64]:
        """(N,) when each face's frame is shown."""
        return self.frame_time_s[self.face_frame]

    def frame_end_s(self) -> NDArray[np.float64]:
        """(F,) when each frame ceases to be shown: as the next one that was read begins."""
        return np.append(self.frame_time_s[1:], self.end_s)[: len(self.frame_time_s)]

    def segments(self, options: SegmentOptions | None = None) -> list[Segment]:
        """Stretches of each track in which one expression leads, by track, then time.

        Args:
            options: how to make them; the timeline's own if not given.
        """
        from seqfer.timeline.segmentation import segment

        return segment(self, options or self.options)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per frame and face, and one without a face for a frame that has none, as in `frames.csv`."""
        from seqfer.timeline.table import to_dataframe

        return to_dataframe(self)

    def save(
        self, folder: str | Path, formats: tuple[str, ...] = ("csv", "json"), overwrite: bool = False
    ) -> None:
        """Write the timeline's files and its picture into a folder; see `seqfer.timeline.saving.save`."""
        from seqfer.timeline.saving import save

        save(self, folder, formats, overwrite)

    def plot(self) -> Figure:
        """A picture of the timeline: a panel per track, probabilities over time, segments below."""
        from seqfer.timeline.plot import plot

        return plot(self)
