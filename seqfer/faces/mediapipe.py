"""Faces by MediaPipe's BlazeFace models (Bazarevsky et al., 2019), both of which ship in its wheel.

The short-range model sees a whole frame in 2 ms, but only faces of about an eighth of the frame or more. The
full-range model sees smaller ones, takes three times as long, and misses some large ones. Neither alone is
right for a video, where a face seldom comes from nowhere. So every frame gets a quick look, and three rules:

- the short-range model looks at every whole frame; what it is sure of counts;
- once a second, after a cut, and every few frames while nobody is in sight, the full-range model looks over the
  frame in square tiles and proposes places; a face that was there a moment ago, or of which the quick look is
  not sure, is a proposal too;
- at each proposal the short-range model looks again, close up; only what it confirms there counts.

The close-up finds small and half-covered faces that neither model sees in the whole frame, and rejects most of
what only looks like a face from afar.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from seqfer.errors import OptionError
from seqfer.faces.geometry import cut_square, overlap
from seqfer.faces.types import Box, Detection
from seqfer.machine import quiet_stderr
from seqfer.video.types import Frame, Image

SURE = 0.75  # a quick look's score from which no second look is needed
CONFIRMED = 0.6  # a close-up's score from which a face counts
SEARCH_S = 1.0  # seconds from one search of the whole frame to the next
SEARCH_EMPTY_S = 0.1  # the same while no face is known
REMEMBER_S = 0.5  # how long a face that is out of sight is looked for where it was
SAME_FACE = 0.3  # overlap from which two boxes are one face
CLOSE_UP = 2.5  # side of a close-up over side of the proposed box
CLOSE_UP_PIXELS = 128  # the short-range model's own input
TILE_OVERLAP = 0.2  # of a tile's side, which is the frame's shorter one; larger faces are the quick look's
LARGEST_SIDE = 640  # pixels; MediaPipe shrinks larger frames without averaging


class MediaPipeDetector:
    """Faces of any size, frontal to three-quarter, with eyes, nose, mouth and ears."""

    def __init__(self) -> None:
        """
        Raises:
            OptionError: MediaPipe does not find its models.
        """
        with quiet_start(), models_found():
            from mediapipe.python.solutions.face_detection import FaceDetection

            # A graph serves one thread: glances run ahead of close-ups.
            self._quick = FaceDetection(model_selection=0, min_detection_confidence=0.5)
            self._close = FaceDetection(model_selection=0, min_detection_confidence=0.5)
            self._full = FaceDetection(model_selection=1, min_detection_confidence=0.5)
            # The graphs start with their first picture, and announce it on stderr.
            for graph in (self._quick, self._close, self._full):
                graph.process(np.zeros((CLOSE_UP_PIXELS, CLOSE_UP_PIXELS, 3), np.uint8))
        self._known: list[tuple[Detection, float]] = []  # faces of the last moments, and when they were seen
        self._last_search_s = float("-inf")

    def glance(self, image: Image) -> list[Detection]:
        return self._look(self._quick, image)

    def detect(self, frame: Frame, seen: list[Detection], new_scene: bool) -> list[Detection]:
        if new_scene:
            self._known = []
        found = _distinct([face for face in seen if face.score >= SURE])
        proposals = [face for face in seen if face.score < SURE]
        pause_s = SEARCH_S if self._known or found else SEARCH_EMPTY_S
        if new_scene or frame.time_s - self._last_search_s >= pause_s:
            self._last_search_s = frame.time_s
            proposals += self._search(frame.image)
        known = [face for face, seen_s in self._known]
        for proposal in known + proposals:
            if not _among(proposal, found):
                face = self._look_closely(frame.image, proposal.box)
                if face is not None and not _among(face, found):
                    found.append(face)
        lost = [
            (face, seen_s)
            for face, seen_s in self._known
            if frame.time_s - seen_s <= REMEMBER_S and not _among(face, found)
        ]
        self._known = [(face, frame.time_s) for face in found] + lost
        return found

    def close(self) -> None:
        for graph in (self._quick, self._close, self._full):
            graph.close()

    def _search(self, image: Image) -> list[Detection]:
        height, width, _ = image.shape
        side = min(height, width)
        found: list[Detection] = []
        for top in _tile_starts(height, side):
            for left in _tile_starts(width, side):
                seen = self._look(self._full, image[top : top + side, left : left + side])
                found += [_moved(face, left, top, 1.0) for face in seen]
        return _distinct(found)

    def _look_closely(self, image: Image, box: Box) -> Detection | None:
        x1, y1, x2, y2 = box
        side = max(x2 - x1, y2 - y1) * CLOSE_UP
        centre = (x1 + x2) / 2, (y1 + y2) / 2
        seen = self._look(self._close, cut_square(image, centre, side, CLOSE_UP_PIXELS))
        left, top = centre[0] - side / 2, centre[1] - side / 2
        faces = [_moved(face, left, top, side / CLOSE_UP_PIXELS) for face in seen if face.score >= CONFIRMED]
        # A close-up may show a neighbour too.
        faces = [face for face in faces if overlap(face.box, box) > SAME_FACE * 0.67]
        return max(faces, key=lambda face: face.score, default=None)

    @staticmethod
    def _look(model: object, image: Image) -> list[Detection]:
        height, width, _ = image.shape
        scale = max(1.0, max(height, width) / LARGEST_SIDE)
        if scale > 1:
            size = max(1, round(width / scale)), max(1, round(height / scale))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        result = model.process(np.ascontiguousarray(image))  # type: ignore[attr-defined]
        return [
            face
            for face in (_detection(found, width, height) for found in result.detections or ())
            if face is not None
        ]


def _detection(found: object, width: int, height: int) -> Detection | None:
    location = found.location_data  # type: ignore[attr-defined]
    relative = location.relative_bounding_box
    if not (relative.width > 0 and relative.height > 0):
        return None
    x, y = relative.xmin * width, relative.ymin * height
    box = (x, y, x + relative.width * width, y + relative.height * height)
    landmarks = np.array([(p.x * width, p.y * height) for p in location.relative_keypoints], np.float32)
    return Detection(box, float(np.clip(found.score[0], 0, 1)), landmarks)  # type: ignore[attr-defined]


def _moved(face: Detection, left: float, top: float, scale: float) -> Detection:
    """A face found in a part of a frame, in the frame's own pixels."""
    x1, y1, x2, y2 = face.box
    box = (left + x1 * scale, top + y1 * scale, left + x2 * scale, top + y2 * scale)
    assert face.landmarks is not None  # MediaPipe always gives them
    return Detection(box, face.score, (face.landmarks * scale + (left, top)).astype(np.float32))


def _tile_starts(length: int, side: int) -> list[int]:
    """Where tiles of `side` begin that cover [0, `length`)."""
    tiles = max(1, int(np.ceil((length / side - TILE_OVERLAP) / (1 - TILE_OVERLAP))))
    return [int(start) for start in np.linspace(0, length - side, tiles).round()]


def _among(face: Detection, others: list[Detection]) -> bool:
    return any(overlap(face.box, other.box) > SAME_FACE for other in others)


def _distinct(faces: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not _among(face, kept):
            kept.append(face)
    return kept


@contextmanager
def models_found() -> Iterator[None]:
    """Say what to do where MediaPipe's C++ side cannot open its own files."""
    try:
        yield
    except OSError as error:
        place = Path(sys.prefix)
        remedy = "install it anew" if str(place).isascii() else "install seqfer below a folder with plain letters"
        raise OptionError(f"MediaPipe in {place} cannot open its models ({error}); {remedy}") from error


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep MediaPipe's C++ side from writing to stderr while its graphs start."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        yield
