from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from seqfer.faces.alignment import align, roll_of
from seqfer.faces.types import Detection
from seqfer.preprocess import CropGeometry, Preprocess


def turned_face(angle_deg: float) -> tuple[np.ndarray, Detection]:
    """A picture with two white eyes, turned clockwise about its middle, and the detection of the face in it."""
    turn = math.radians(angle_deg)
    points = np.array([(-40, -30), (40, -30), (0, 10), (0, 45), (-80, -10), (80, -10)], float)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    landmarks = (points @ rotation.T + 200).astype(np.float32)
    image = np.zeros((400, 400, 3), np.uint8)
    for x, y in landmarks[:2]:
        cv2.circle(image, (round(float(x)), round(float(y))), 9, (255, 255, 255), -1)
    return image, Detection((100.0, 100.0, 300.0, 300.0), 0.9, landmarks)


def eye_places(crop: np.ndarray) -> np.ndarray:
    """(2, 2) x and y of the two bright spots, as shares of the crop's side."""
    _, _, _, centroids = cv2.connectedComponentsWithStats((crop[:, :, 0] > 120).astype(np.uint8))
    spots = centroids[1:]
    assert len(spots) == 2
    return (spots[np.argsort(spots[:, 0])] + 0.5) / crop.shape[0]


@pytest.mark.parametrize("angle", [0, 12, -25, 50])
def test_eyes_lie_level_and_in_the_same_place(angle: float) -> None:
    image, detection = turned_face(angle)
    eyes = eye_places(align(image, detection, Preprocess(size=96)))
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=0.015)
    upright = eye_places(align(*turned_face(0), Preprocess(size=96)))
    assert eyes == pytest.approx(upright, abs=0.02)


def test_without_alignment_the_face_stays_turned() -> None:
    image, detection = turned_face(25)
    eyes = eye_places(align(image, detection, Preprocess(size=96, geometry=CropGeometry(align=False))))
    assert eyes[1, 1] - eyes[0, 1] > 0.1


def test_margin_and_shift_place_the_face() -> None:
    image, detection = turned_face(0)
    geometry = CropGeometry(margin=1.5, shift_up=0.2)
    eyes = eye_places(align(image, detection, Preprocess(size=150, geometry=geometry)))
    # The crop's middle lies 0.2 boxes of 200 pixels above the box's, which is at (200, 200).
    assert eyes[0] == pytest.approx([0.5 - 40 / 300, 0.5 + (170 - 160) / 300], abs=0.01)


def test_roll_needs_both_eyes_in_sight() -> None:
    _, detection = turned_face(30)
    assert math.degrees(roll_of(detection)) == pytest.approx(30, abs=0.1)
    assert roll_of(turned_face(85)[1]) == 0
    assert roll_of(Detection((0, 0, 1, 1), 0.5)) == 0
