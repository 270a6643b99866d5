"""A face's regions drawn into its picture, and the picture's edges: the figures of the paper on CK+48."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.edges import canny
from seqfer.faces.regions import Region
from seqfer.video.types import Image

RED = (255, 0, 0)
LINE_WIDTH = 2  # pixels, as in the paper's Algorithm 2
LEAST_SIDE = 384  # pixels; smaller pictures are drawn larger, by a whole factor …
LARGEST_FACTOR = 8  # … up to this one


def draw_regions(image: Image, faces: Iterable[Iterable[Region]], factor: int = 1) -> Image:
    """A picture with a red box, two pixels wide, around each region.

    Args:
        image: (H, W, 3).
        faces: of `RegionFinder.find`.
        factor: how many times larger than the picture the result is, as of `enlargement`.
    """
    drawn = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    for face in faces:
        for region in face:
            x1, y1 = (int(np.floor(value * factor)) for value in region.box[:2])
            x2, y2 = (int(np.ceil(value * factor)) for value in region.box[2:])
            for rows, columns in (
                ((y1, y1 + LINE_WIDTH), (x1, x2)),
                ((y2 - LINE_WIDTH, y2), (x1, x2)),
                ((y1, y2), (x1, x1 + LINE_WIDTH)),
                ((y1, y2), (x2 - LINE_WIDTH, x2)),
            ):
                drawn[max(0, rows[0]) : rows[1], max(0, columns[0]) : columns[1]] = RED
    return np.asarray(drawn, np.uint8)


def draw_edges(image: Image, factor: int = 1) -> NDArray[np.uint8]:
    """The paper's edge picture (its Algorithm 1): grey, equalised, then Canny's edges, white on black.

    Args:
        image: (H, W, 3).
        factor: how many times larger than the picture the result is; the edges are those of the picture itself.
    """
    equalised = np.asarray(cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)), np.uint8)
    edges = canny(equalised[None])[0].astype(np.uint8) * 255
    return np.kron(edges, np.ones((factor, factor), np.uint8))


def enlargement(image: Image) -> int:
    """How many times larger a picture is drawn: small ones would vanish under lines of two pixels."""
    return max(1, min(LARGEST_FACTOR, LEAST_SIDE // min(image.shape[:2])))
