"""Faces as found in frames and as followed through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.video.types import Frame, Image

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the upright frame


@dataclass(frozen=True)
class Detection:
    """A face in one frame.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the upright frame; a square from the brows to below the chin, as
            MediaPipe draws it; it may reach beyond the frame.
        score: the detector's confidence in [0, 1].
        landmarks: (6, 2) x and y in pixels of the eye on the image's left, the eye on its right, nose tip,
            middle of the mouth, and the ears on the image's left and right; None where the detector gives none.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if not (np.isfinite(self.box).all() and x1 < x2 and y1 < y2):
            raise ValueError(f"a box is x1 < x2, y1 < y2, not {self.box}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"a score lies in [0, 1], not {self.score}")
        if self.landmarks is not None and self.landmarks.shape != (6, 2):
            raise ValueError(f"landmarks are (6, 2), not {self.landmarks.shape}")

    def __repr__(self) -> str:
        box = ", ".join(f"{value:.1f}" for value in self.box)
        return f"Detection([{box}], score={self.score:.2f}, landmarks={self.landmarks is not None})"


@dataclass(frozen=True)
class TrackedFace:
    """A face that belongs to a track.

    Attributes:
        track_id: from 1 upwards, the same for the same face throughout a video.
        detection: where it is.
        crop: (S, S, 3) RGB uint8, upright by its eyes, S as the model's `Preprocess` wants it.
    """

    track_id: int
    detection: Detection
    crop: Image

    def __repr__(self) -> str:
        return f"TrackedFace({self.track_id}, {self.detection!r}, crop {self.crop.shape[1]}x{self.crop.shape[0]})"


@dataclass(frozen=True)
class FrameFaces:
    """The faces of one frame, possibly none.

    Attributes:
        index: the frame's.
        time_s: the frame's.
        faces: in the order of their track ids.
    """

    index: int
    time_s: float
    faces: tuple[TrackedFace, ...]


class Detector(Protocol):
    """Finds the faces of a video's frames, given to it in the order of time.

    One detector serves one video. Its work on a frame is in two parts, so that they can overlap: `glance` runs
    ahead in a thread of its own, `detect` follows and may use what it saw in earlier frames.
    """

    def glance(self, image: Image) -> list[Detection]:
        """What a look at a frame alone shows, however doubtful."""
        ...

    def detect(self, frame: Frame, seen: list[Detection], new_scene: bool) -> list[Detection]:
        """The faces in a frame, each once.

        Args:
            frame: the next frame.
            seen: its `glance`.
            new_scene: whether the frame is a video's first one, or a cut lies before it; what was seen earlier is
                forgotten.
        """
        ...

    def close(self) -> None:
        """Give back what the detector holds; it detects nothing afterwards."""
        ...


DETECTORS = ("mediapipe", "haar")
FACES = (*DETECTORS, "none")  # how faces are found; none for pictures that show a face alone, taken whole


def check_detector(name: str) -> None:
    """Raise OptionError unless there is a detector of that name."""
    if name not in DETECTORS:
        raise OptionError(f"unknown detector {name!r}; known: {', '.join(DETECTORS)}")


def check_faces(name: str) -> None:
    """Raise OptionError unless faces can be found in that way."""
    if name not in FACES:
        raise OptionError(f"unknown faces {name!r}; known: {', '.join(FACES)}")


def create_detector(name: str) -> Detector:
    """A new detector by name.

    Raises:
        OptionError: the name is unknown, or what it needs is not installed.
    """
    check_detector(name)
    if name == "mediapipe":
        from seqfer.faces.mediapipe import MediaPipeDetector

        return MediaPipeDetector()
    from seqfer.faces.haar import HaarDetector

    return HaarDetector()
