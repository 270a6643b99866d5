"""Faces by OpenCV's frontal Haar cascade (Viola & Jones, CVPR 2001): the older papers' detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from seqfer.errors import OptionError
from seqfer.faces.types import Detection
from seqfer.video.types import Frame, Image

CASCADE = "haarcascade_frontalface_default.xml"
# The cascade's square is larger than MediaPipe's and sits higher on the face (medians over 500 faces of
# FER-2013 and several clips found by both): brought to the house's convention, both give the same crops.
SIDE_OVER_BOX = 1.12
HIGHER_BY = 0.14  # of the box's side
SMALLEST_SHARE = 0.06  # of the frame's shorter side; smaller candidates are mostly texture
SMALLEST_SIDE = 24  # pixels, what the cascade was trained on
# The cascade's last stage gives a weight without bounds; at this one the score reaches 0.9.
SURE_WEIGHT = 5.0


class HaarDetector:
    """Frontal faces, each frame by itself, without landmarks; slow beside MediaPipe, and finds fewer."""

    def __init__(self) -> None:
        self._cascade = load_cascade(CASCADE)

    def glance(self, image: Image) -> list[Detection]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        smallest = max(SMALLEST_SIDE, round(SMALLEST_SHARE * min(grey.shape)))
        if min(grey.shape) < smallest:
            return []
        squares, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest), outputRejectLevels=True
        )
        return [
            _detection(square, weight)
            for square, weight in zip(squares, np.ravel(weights), strict=True)
            if weight > 0
        ]

    def detect(self, frame: Frame, seen: list[Detection], new_scene: bool) -> list[Detection]:
        return seen

    def close(self) -> None:
        pass


def _detection(square: Sequence[int], weight: float) -> Detection:
    x, y, side, _ = (float(value) for value in square)
    half = side / SIDE_OVER_BOX / 2
    centre_x, centre_y = x + side / 2, y + side / 2 + HIGHER_BY * 2 * half
    score = 1 - 0.1 ** (max(0.0, float(weight)) / SURE_WEIGHT)
    return Detection((centre_x - half, centre_y - half, centre_x + half, centre_y + half), score)


def load_cascade(name: str) -> cv2.CascadeClassifier:
    """One of the cascades that come with OpenCV, by its file's name.

    Raises:
        OptionError: this OpenCV has none.
    """
    path = Path(cv2.data.haarcascades) / name if hasattr(cv2, "data") else Path(name)
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        raise OptionError(f"OpenCV {cv2.__version__} has no Haar cascades; install opencv-contrib-python>=4.10,<5")
    # OpenCV opens no file on Windows whose path has letters beyond ASCII.
    storage = cv2.FileStorage(path.read_text(encoding="utf-8"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    cascade = cv2.CascadeClassifier()
    cascade.read(storage.getFirstTopLevelNode())
    return cascade
