"""Tracks: which face of one frame is which face of the next.

Each track predicts where its face is now; predictions and detections are matched by overlap, the best
assignment of all at once (Kuhn-Munkres). A face that is missed for a moment keeps its track, and so do two that
cross: each is expected where its own motion carries it. A cut ends every track.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from seqfer.faces.geometry import iou
from seqfer.faces.types import Detection

LEAST_OVERLAP = 0.2  # of prediction and detection; below it they are not the same face
LONGEST_ABSENCE_S = 1.0  # a face missed for longer is a new track when it returns
# Where only each so-many-th frame is read, a track survives this many frames without its face.
LONGEST_ABSENCE_FRAMES = 2
VELOCITY_MEMORY_S = 0.15  # how fast the estimate of a face's motion follows the motion
COAST_S = 0.5  # how long a face that is not seen is expected to keep moving
SURE_SCORE = 0.7  # a track without one detection this good is no face
LEAST_FACES = 3  # a track with fewer detections is no face, in a video that has as many frames …
LEAST_S = 0.5  # … unless two or more stand for so long, as they do where only each so-many-th frame is read


@dataclass
class _Track:
    track_id: int
    box: NDArray[np.float64]  # (4,), where the face was last seen
    time_s: float  # when
    velocity: NDArray[np.float64]  # (2,) pixels per second

    def predict(self, time_s: float) -> NDArray[np.float64]:
        moved = self.velocity * min(time_s - self.time_s, COAST_S)
        return self.box + np.tile(moved, 2)

    def follow(self, box: NDArray[np.float64], time_s: float) -> None:
        elapsed = time_s - self.time_s
        centre_moved = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        keep = np.exp(-elapsed / VELOCITY_MEMORY_S)
        self.velocity = keep * self.velocity + (1 - keep) * centre_moved / elapsed
        self.box, self.time_s = box, time_s


class Tracker:
    """Gives the faces of a video's frames their track ids, frame by frame."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._last_s: float | None = None

    def update(self, detections: list[Detection], time_s: float, new_scene: bool = False) -> list[int]:
        """Track ids of a frame's detections, in their order.

        Args:
            detections: the faces of the next frame, each once.
            time_s: that frame's time, later than the last one's.
            new_scene: whether a cut lies before it.
        """
        step = 0.0 if self._last_s is None else time_s - self._last_s
        if self._last_s is not None and step <= 0:
            raise ValueError(f"frames must come in the order of time: {time_s} s after {self._last_s} s")
        self._last_s = time_s
        patience = max(LONGEST_ABSENCE_S, LONGEST_ABSENCE_FRAMES * step) + step
        self._tracks = [t for t in self._tracks if not new_scene and time_s - t.time_s <= patience]
        boxes = np.array([detection.box for detection in detections], np.float64).reshape(-1, 4)
        matched = self._match(boxes, time_s)
        ids = []
        for index, box in enumerate(boxes):
            track = matched.get(index)
            if track is None:
                track = _Track(self._next_id, box, time_s, np.zeros(2))
                self._next_id += 1
                self._tracks.append(track)
            else:
                track.follow(box, time_s)
            ids.append(track.track_id)
        return ids

    @property
    def followed(self) -> set[int]:
        """Ids of the tracks that a later frame's face may still continue."""
        return {track.track_id for track in self._tracks}

    def _match(self, boxes: NDArray[np.float64], time_s: float) -> dict[int, _Track]:
        """Index of a box to the track that it continues."""
        if not self._tracks or len(boxes) == 0:
            return {}
        expected = np.array([track.predict(time_s) for track in self._tracks])
        overlaps = iou(expected, boxes)
        # Pairs that may not match are worth nothing, so that they never displace a pair that may.
        rows, columns = linear_sum_assignment(np.where(overlaps >= LEAST_OVERLAP, overlaps, 0), maximize=True)
        return {
            int(column): self._tracks[row]
            for row, column in zip(rows, columns, strict=True)
            if overlaps[row, column] >= LEAST_OVERLAP
        }


@dataclass
class Standing:
    """Whether a track counts by what was seen of it so far: the rule of `lasting_tracks`, told frame by frame.

    Attributes:
        best: the best detection score.
        faces: in how many frames the face was seen.
        seen_s: for how long it was in sight.
    """

    best: float = 0.0
    faces: int = 0
    seen_s: float = 0.0

    def see(self, score: float, step_s: float) -> None:
        """Take in the face of one more frame, `step_s` seconds after the frame before."""
        self.seen_s += step_s if self.faces else 0.0
        self.best = max(self.best, score)
        self.faces += 1

    @property
    def counts(self) -> bool:
        """Whether the face was once beyond doubt and is more than a glimpse."""
        return self.best >= SURE_SCORE and (self.faces >= LEAST_FACES or self.seen_s >= LEAST_S)


def lasting_tracks(
    track_ids: NDArray[np.int64], scores: NDArray[np.float64], shown_s: NDArray[np.float64], frames: int
) -> dict[int, int]:
    """The tracks of a whole video that count, each with its final id, from 1 in the order of appearance.

    A track counts if its best detection is beyond doubt and it is more than a glimpse: what looks like a face for
    a frame or two seldom is one, unless two frames stand for long.

    Args:
        track_ids: (N,) the tracker's id of each face, which counts up as faces appear.
        scores: (N,) the detection score of each face.
        shown_s: (N,) for how many seconds each face's frame stands.
        frames: how many frames were read; a still image need not hold more faces than it can.
    """
    unique, inverse = np.unique(track_ids, return_inverse=True)
    best = np.zeros(len(unique))
    np.maximum.at(best, inverse, scores)
    counts = np.bincount(inverse, minlength=len(unique))
    seconds = np.bincount(inverse, shown_s, minlength=len(unique))
    lasts = (counts >= min(LEAST_FACES, frames)) | ((counts >= 2) & (seconds >= LEAST_S))
    return {int(track): new for new, track in enumerate(unique[(best >= SURE_SCORE) & lasts], start=1)}
