"""From a detected face to its crop: the part of the frame that the model's Preprocess asks for."""

from __future__ import annotations

import math

from seqfer.faces.geometry import Square, cut_square
from seqfer.faces.types import Detection
from seqfer.preprocess import CropGeometry, Preprocess
from seqfer.video.types import Image

# Beyond this the two eyes are hardly both in sight, and the line through them means little.
LARGEST_ROLL_RAD = math.radians(60)


def align(image: Image, detection: Detection, preprocess: Preprocess) -> Image:
    """The face's crop, (S, S, 3) uint8, its eyes level where they are known; S is `preprocess.size`."""
    square = square_of(detection, preprocess.geometry)
    return cut_square(image, square.centre, square.side, preprocess.size, square.angle_rad)


def square_of(detection: Detection, geometry: CropGeometry) -> Square:
    """The part of the frame that a face's crop shows."""
    x1, y1, x2, y2 = detection.box
    side = max(x2 - x1, y2 - y1)
    roll = roll_of(detection) if geometry.align else 0.0
    # "Up" turns with the face.
    shift = geometry.shift_up * side
    centre = ((x1 + x2) / 2 + shift * math.sin(roll), (y1 + y2) / 2 - shift * math.cos(roll))
    return Square(centre, side * geometry.margin, roll)


def roll_of(detection: Detection) -> float:
    """How far a face leans in the image plane, in radians clockwise; 0 where its eyes are not known."""
    if detection.landmarks is None:
        return 0.0
    left, right = detection.landmarks[0], detection.landmarks[1]
    roll = math.atan2(float(right[1] - left[1]), float(right[0] - left[0]))
    return roll if abs(roll) <= LARGEST_ROLL_RAD else 0.0
