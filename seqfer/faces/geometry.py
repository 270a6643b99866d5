"""Boxes and square cuts: overlap, and pieces of a frame at a given place, angle and size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.faces.types import Box
from seqfer.video.types import Image

LONGEST_SIDE = 32_000  # px, of pictures that OpenCV can warp; its limit is 32,766


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every box of (N, 4) with every box of (M, 4): (N, M) in [0, 1]."""
    a, b = first[:, None], second[None]
    shared = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    intersection = shared.clip(0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - intersection
    return np.asarray(intersection / union, np.float64)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes: what `iou` says, thirty times as fast for a single pair."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (first, second)]
    return width * height / (sum(areas) - width * height)


@dataclass(frozen=True)
class Square:
    """A square piece of an image, which may be turned and reach out of it.

    Attributes:
        centre: x and y of its middle in pixels.
        side: in pixels, > 0.
        angle_rad: how far it is turned clockwise against the image.
    """

    centre: tuple[float, float]
    side: float
    angle_rad: float = 0.0

    def matrix(self, size: int) -> NDArray[np.float64]:
        """(2, 3), from the image's pixels to those of the square cut out at `size` pixels, as cv2 counts both."""
        scale = size / self.side
        cos, sin = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        # cv2 counts positions from the middle of the first pixel.
        x, y, middle = self.centre[0] - 0.5, self.centre[1] - 0.5, size / 2 - 0.5
        return np.array([[cos, sin, middle - cos * x - sin * y], [-sin, cos, middle + sin * x - cos * y]])


def middle_square(width: int, height: int) -> Square:
    """What counts of a picture that shows a face alone: its largest square, in the middle."""
    return Square((width / 2, height / 2), min(width, height))


def cut_square(image: Image, centre: tuple[float, float], side: float, size: int, angle_rad: float = 0.0) -> Image:
    """A square piece of an image, turned and scaled; what lies outside the image repeats its border.

    Args:
        image: (H, W, 3) uint8.
        centre: x and y of the square's middle in pixels.
        side: of the square in pixels of the image, > 0.
        size: of the result in pixels.
        angle_rad: how far the square is turned clockwise against the image.

    Returns:
        (`size`, `size`, 3) uint8. Pixels are averaged where the square shrinks, so that fine patterns do not
        turn into false ones.
    """
    shrink = max(1, min(int(side / size), *image.shape[:2]))
    if shrink >= 2 or max(image.shape[:2]) > LONGEST_SIDE:
        image, centre = _shrunken_part(image, centre, side, shrink)
        side /= shrink
    matrix = Square(centre, side, angle_rad).matrix(size)
    cut = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def lay_back(
    values: NDArray[np.float32], square: Square, width: int, height: int
) -> tuple[slice, slice, NDArray[np.float32]]:
    """A square's values brought back to where the square was cut from: the way of `cut_square`, backwards.

    Args:
        values: (S, S).
        square: in an image of `width` x `height` pixels.

    Returns:
        Rows and columns of the part of the image that the square touches, and the values there, 0 outside the
        square.
    """
    x, y = square.centre
    reach = square.side / 2 * (abs(math.cos(square.angle_rad)) + abs(math.sin(square.angle_rad)))
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    right, bottom = max(left, min(width, math.ceil(x + reach))), max(top, min(height, math.ceil(y + reach)))
    laid = np.zeros((bottom - top, right - left), np.float32)
    if laid.size:
        matrix = Square((x - left, y - top), square.side, square.angle_rad).matrix(len(values))
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        laid = np.asarray(cv2.warpAffine(values, matrix, (right - left, bottom - top), flags=how), np.float32)
    return slice(top, bottom), slice(left, right), laid


def _shrunken_part(
    image: Image, centre: tuple[float, float], side: float, shrink: int
) -> tuple[Image, tuple[float, float]]:
    """The part of the image that a turned square may touch, `shrink` times smaller, and the centre in it."""
    height, width, _ = image.shape
    reach = side * 0.75  # a little more than half the diagonal
    left, right = _whole_blocks(centre[0] - reach, centre[0] + reach, width, shrink)
    top, bottom = _whole_blocks(centre[1] - reach, centre[1] + reach, height, shrink)
    part = image[top:bottom, left:right]
    size = (right - left) // shrink, (bottom - top) // shrink
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, ((centre[0] - left) / shrink, (centre[1] - top) / shrink)


def _whole_blocks(first: float, last: float, length: int, block: int) -> tuple[int, int]:
    """A range of pixels around [first, last] within [0, length) that is a multiple of `block` long.

    OpenCV averages whole blocks several times faster than others. At most a block's rest at the far edge is
    left out.
    """
    start = min(max(0, int(first)), max(0, length - block))
    stop = max(start + block, min(length, int(last) + block))
    return start, start + max(1, (stop - start) // block) * block
