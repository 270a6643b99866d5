"""Cuts between scenes, by how little two frames in a row have in common."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.video.types import Image

THUMBNAIL = 32  # pixels; structure as coarse as this survives motion between two frames
CUT_CORRELATION = 0.4  # below it two thumbnails have little in common; half a second of motion stays above
CUT_DIFFERENCE = 10.0  # mean change in grey levels; below it the frames are dark or empty, and noise decides


class SceneCuts:
    """Tells for each frame whether a cut lies before it.

    Brightness does not count, so that a flash or a fade of the light is no cut.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def is_cut(self, image: Image) -> bool:
        """Whether `image` begins a new scene, as the very first frame does."""
        thumbnail = _thumbnail(image)
        last, self._last = self._last, thumbnail
        if last is None:
            return True
        if float(np.abs(thumbnail - last).mean()) < CUT_DIFFERENCE:
            return False
        return _correlation(thumbnail, last) < CUT_CORRELATION


def _thumbnail(image: Image) -> NDArray[np.float32]:
    # Every so-many-th pixel stands for its neighbours: half a millisecond less a frame, and no cut differs.
    step_y, step_x = (max(1, length // (2 * THUMBNAIL)) for length in image.shape[:2])
    sparse = np.ascontiguousarray(image[::step_y, ::step_x])
    small = cv2.resize(sparse, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2, dtype=np.float32))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
