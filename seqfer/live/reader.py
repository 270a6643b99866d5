"""LiveReader: the model on a sliding window of the past, one frame after the other."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqfer.faces.extraction import Extractor
from seqfer.faces.tracker import Standing
from seqfer.faces.types import Detector, TrackedFace
from seqfer.live.types import Captured, LiveFace, LiveFrame
from seqfer.models.inference import Predictor

# A few faces at a time are read no faster by several threads. But these wait for each other at every step: on
# cores that other programs use too, a frame then takes a second instead of some milliseconds.
READING_THREADS = 1


@dataclass
class _Track:
    """What is remembered of one track: embeddings (D,) of the last seconds with their times."""

    times_s: deque[float] = field(default_factory=deque)
    embeddings: deque[NDArray[np.float16]] = field(default_factory=deque)
    standing: Standing = field(default_factory=Standing)
    shown_as: int | None = None  # its number, once it counts as a face

    def add(self, time_s: float, embedding: NDArray[np.float16], reach_s: float) -> None:
        self.times_s.append(time_s)
        self.embeddings.append(embedding)
        while self.times_s[0] < time_s - reach_s:
            self.times_s.popleft()
            self.embeddings.popleft()


class LiveReader:
    """Reads the frames of one live source, given in the order of time; frames may be missing between them.

    The head reads the last seconds of each track, as many as fit into one of its windows, and the newest frame's
    probabilities count. So a frame costs one pass of the encoder and one short one of the head for each face,
    however long the session. What comes after a frame, which `annotate` knows too, is not there yet.

    A face is shown from when it is as sure as `annotate` demands of a track: once beyond doubt, and more than a
    glimpse.

    Attributes:
        labels: the K expressions.
        faces: how many different faces have been shown so far.
    """

    def __init__(self, predictor: Predictor, detector: Detector) -> None:
        """
        Args:
            predictor: the model.
            detector: a new one.
        """
        self.labels = predictor.architecture.labels
        self._predictor, self._detector = predictor, detector
        self._extractor = Extractor(detector, predictor.architecture.preprocess)
        # So long that the window's steps, this frame's included, are filled but not more.
        self._reach_s = (predictor.window - 1) / predictor.architecture.frame_rate
        self._tracks: dict[int, _Track] = {}
        self.faces = 0
        self._last_s: float | None = None
        self._warm_up()

    def read(self, captured: Captured) -> LiveFrame:
        """What the next frame shows."""
        frame = captured.frame
        found = self._extractor.extract(frame, self._detector.glance(frame.image))
        step_s = 0.0 if self._last_s is None else frame.time_s - self._last_s
        self._last_s = frame.time_s
        followed = self._extractor.followed
        self._tracks = {track_id: track for track_id, track in self._tracks.items() if track_id in followed}
        shown = []
        if found.faces:
            embeddings = self._predictor.encode(np.stack([face.crop for face in found.faces]))
            for face, embedding in zip(found.faces, embeddings, strict=True):
                track = self._tracks.setdefault(face.track_id, _Track())
                track.add(frame.time_s, embedding, self._reach_s)
                track.standing.see(face.detection.score, step_s)
                if track.standing.counts:
                    shown.append(self._shown_face(track, face))
        return LiveFrame(frame, captured.captured_s, tuple(sorted(shown, key=lambda face: face.track_id)))

    def _shown_face(self, track: _Track, face: TrackedFace) -> LiveFace:
        if track.shown_as is None:
            self.faces += 1
            track.shown_as = self.faces
        past = np.stack(track.embeddings), np.array(track.times_s)
        probabilities = self._predictor.read_track(*past)[-1]
        return LiveFace(track.shown_as, face.detection.box, face.detection.score, probabilities)

    def _warm_up(self) -> None:
        """A network's first pictures take long, and somebody is waiting for a camera's."""
        preprocess = self._predictor.architecture.preprocess
        black = np.zeros((1, preprocess.size, preprocess.size, 3), np.uint8)
        steps = self._predictor.window
        window = np.repeat(self._predictor.encode(black), steps, axis=0)
        self._predictor.read_track(window, np.arange(steps) / self._predictor.architecture.frame_rate)
