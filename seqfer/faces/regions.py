"""The regions of the faces in a picture: face, eyes, nose and mouth, each as a box.

After "Facial Expression Recognition using Convolutional Neural Networks with Transfer Learning Resnet-50", section
II.D, which has MATLAB's cascades. OpenCV's wheel has cascades for faces and eyes; nose and mouth, and what a
cascade passes over, come from the landmarks of MediaPipe's face mesh.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.faces.geometry import cut_square, overlap
from seqfer.faces.haar import CASCADE, load_cascade
from seqfer.faces.mediapipe import MediaPipeDetector
from seqfer.faces.mesh import POINTS, FaceMesh
from seqfer.faces.types import Box
from seqfer.video.types import Frame, Image

Source = Literal["cascade", "landmarks"]
Points = NDArray[np.float64]  # (P, 2) x and y
_Candidate = tuple[Box, Source, "Points | None"]

NAMES = ("face", "left_eye", "right_eye", "nose", "mouth")

# A picture is looked at with its shorter side between these, in pixels, and its border repeated around it by this
# share of that side. In 200 pictures of FER-2013, 48 pixels wide and filled by the face, the cascade finds 60
# faces as they are, 119 in fourfold size, 159 with the border too.
SHORTER_SIDE = (192, 1080)
MOST_ENLARGED = 8
BORDER = 0.3
SMALLEST_SHARE = 0.08  # of the shorter side; smaller candidates are mostly texture
CLOSE_UP = 2.0  # side of the cut in which landmarks are sought over side of the face
CLOSE_UP_PIXELS = 384
SAME_PLACE = 0.3  # overlap from which landmarks belong to the face that they were sought for
SAME_FACE = 0.5  # share of a box within another from which it is the same face, or its mouth taken for a face

# The second finds more eyes, and more that are none.
EYE_CASCADES = ("haarcascade_eye_tree_eyeglasses.xml", "haarcascade_eye.xml")
EYES_UP_TO = 0.6  # of the face's height
EYE_PIXELS = 240  # width of the face in which they are sought
# Where the eyes' middles lie in the cascade's square of a face, and how far off they may be found: without
# landmarks as a share of the square's side, with them of the distance between the eyes.
EYES_IN_SQUARE = ((0.31, 0.395), (0.69, 0.395))
EYE_REACH, EYE_REACH_OF_DISTANCE = 0.12, 0.35

# Points of the face mesh around each region, and how much wider and higher than around them its box is.
AROUND: dict[str, Sequence[int]] = {
    "face": range(POINTS),
    "left_eye": (33, 133, 159, 145, 158, 153, 160, 144),
    "right_eye": (263, 362, 386, 374, 385, 380, 387, 373),
    "nose": (6, 1, 2, 48, 278, 64, 294, 98, 327),
    "mouth": (61, 291, 0, 17, 37, 267, 84, 314, 39, 269, 181, 405),
}
WIDER = {"face": (1, 1), "left_eye": (1.5, 2.4), "right_eye": (1.5, 2.4), "nose": (1.1, 1), "mouth": (1.1, 1.2)}


@dataclass(frozen=True)
class Region:
    """A part of a face.

    Attributes:
        name: of `NAMES`; left and right are the picture's.
        box: x1, y1, x2, y2 in pixels of the picture, within it.
        source: "cascade", or "landmarks" for a box around points of the face mesh.
    """

    name: str
    box: Box
    source: Source

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if self.name not in NAMES:
            raise ValueError(f"a region is one of {', '.join(NAMES)}, not {self.name!r}")
        if not (np.isfinite(self.box).all() and x1 < x2 and y1 < y2):
            raise ValueError(f"a box is x1 < x2, y1 < y2, not {self.box}")


class RegionFinder:
    """Finds the regions of the faces in pictures that have nothing to do with each other."""

    def __init__(self) -> None:
        self._face = load_cascade(CASCADE)
        self._eyes = [load_cascade(name) for name in EYE_CASCADES]
        self._detector = MediaPipeDetector()
        self._mesh = FaceMesh(most_faces=3)  # a close-up may show neighbours

    def find(self, image: Image) -> list[tuple[Region, ...]]:
        """The regions of each face in a picture (H, W, 3), the faces from left to right.

        A face has landmarks, or is found by the cascade with both eyes in it. Its own box comes first among its
        regions; a part that is neither found nor known from landmarks is left out.
        """
        view = _View.of(image)
        faces: list[tuple[Region, ...]] = []
        taken: list[Box] = []
        for box, source, points in sorted(self._candidates(image, view), key=_certainty, reverse=True):
            if any(_share_within(box, other) > SAME_FACE for other in taken):
                continue
            parts = list(self._parts(view.image, box, points))
            if len(parts) >= 2:
                taken.append(box)
                faces.append(view.regions([("face", box, source), *parts]))
        return sorted((face for face in faces if face), key=lambda face: face[0].box)

    def close(self) -> None:
        """Give back what the finder holds; it finds nothing afterwards."""
        self._detector.close()
        self._mesh.close()

    def _candidates(self, image: Image, view: _View) -> Iterator[_Candidate]:
        smallest = round(SMALLEST_SHARE * min(view.image.shape[:2]))
        grey = cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY)
        for x, y, width, height in self._face.detectMultiScale(grey, 1.1, 3, minSize=(smallest, smallest)):
            square = float(x), float(y), float(x + width), float(y + height)
            yield square, "cascade", self._landmarks(view.image, square)
        # This detector needs no help with small pictures, and finds smaller faces without a border.
        seen = self._detector.glance(image)
        for detection in self._detector.detect(Frame(0, 0.0, image), seen, new_scene=True):
            points = self._landmarks(view.image, view.into(detection.box))
            if points is not None:
                yield _around(points, "face"), "landmarks", points

    def _landmarks(self, image: Image, box: Box) -> Points | None:
        """The points of the face in a box, None where the face mesh sees none there."""
        x1, y1, x2, y2 = box
        side = max(x2 - x1, y2 - y1) * CLOSE_UP
        centre = np.array([x1 + x2, y1 + y2]) / 2
        cut = cut_square(image, (centre[0], centre[1]), side, CLOSE_UP_PIXELS)
        faces = [points * (side / CLOSE_UP_PIXELS) + centre - side / 2 for points in self._mesh.find(cut)]
        shares = [overlap(_around(points, "face"), box) for points in faces]
        best = int(np.argmax(shares)) if faces else 0
        return faces[best] if faces and shares[best] > SAME_PLACE else None

    def _parts(self, image: Image, box: Box, points: Points | None) -> Iterator[tuple[str, Box, Source]]:
        places = _places_of_eyes(box, points)
        for name, eye in zip(("left_eye", "right_eye"), self._find_eyes(image, box, *places), strict=True):
            if eye is not None:
                yield name, eye, "cascade"
            elif points is not None:
                yield name, _around(points, name), "landmarks"
        if points is not None:
            yield "nose", _around(points, "nose"), "landmarks"
            yield "mouth", _around(points, "mouth"), "landmarks"

    def _find_eyes(self, image: Image, box: Box, places: Points, reach: float) -> list[Box | None]:
        """The eye that a cascade finds nearest to each of two places, None where none is in reach."""
        left, top, right, bottom = (max(0, round(value)) for value in box)
        part = image[top : top + round(EYES_UP_TO * (bottom - top)), left:right]
        if part.size == 0:
            return [None, None]
        scale = EYE_PIXELS / part.shape[1]
        size = EYE_PIXELS, max(1, round(part.shape[0] * scale))
        grey = cv2.cvtColor(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2GRAY)
        eyes: list[Box | None] = [None, None]
        smallest = EYE_PIXELS // 8
        for cascade in self._eyes:
            if None not in eyes:
                break
            candidates = [
                (left + x / scale, top + y / scale, left + (x + width) / scale, top + (y + height) / scale)
                for x, y, width, height in cascade.detectMultiScale(grey, 1.05, 3, minSize=(smallest, smallest))
            ]
            for side, place in enumerate(places):
                near = [(_distance(eye, place), eye) for eye in candidates]
                distance, eye = min(near, default=(np.inf, None))
                if eyes[side] is None and distance <= reach:
                    eyes[side] = eye
        return eyes


@dataclass(frozen=True)
class _View:
    """A picture as it is looked at: scaled, its border repeated around it."""

    image: Image
    scale: float
    border: int
    size: tuple[int, int]  # width and height of the picture itself

    @classmethod
    def of(cls, image: Image) -> _View:
        height, width, _ = image.shape
        shorter = min(height, width)
        scale = min(MOST_ENLARGED, float(np.clip(shorter, *SHORTER_SIDE)) / shorter)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scaled = image if scale == 1 else cv2.resize(image, size, interpolation=how)
        border = round(BORDER * shorter * scale)
        bordered = cv2.copyMakeBorder(scaled, border, border, border, border, cv2.BORDER_REPLICATE)
        return cls(np.asarray(bordered, np.uint8), scale, border, (width, height))

    def into(self, box: Box) -> Box:
        """A box of the picture in the view's pixels."""
        x1, y1, x2, y2 = (value * self.scale + self.border for value in box)
        return x1, y1, x2, y2

    def regions(self, parts: Iterable[tuple[str, Box, Source]]) -> tuple[Region, ...]:
        """Regions in the picture's own pixels, cut off at its border; what lies outside is left out."""
        limits = np.array([*self.size, *self.size])
        kept = []
        for name, box, source in parts:
            x1, y1, x2, y2 = ((np.array(box) - self.border) / self.scale).clip(0, limits)
            if x1 < x2 and y1 < y2:
                kept.append(Region(name, (float(x1), float(y1), float(x2), float(y2)), source))
        return tuple(kept)


def _certainty(candidate: _Candidate) -> tuple[bool, bool, float]:
    box, source, points = candidate
    return points is not None, source == "cascade", _area(box)


def _places_of_eyes(box: Box, points: Points | None) -> tuple[Points, float]:
    """Where the middles of the eyes on the left and on the right are expected, and how far off they may be."""
    if points is None:
        side = box[2] - box[0]
        return np.array(box[:2]) + np.array(EYES_IN_SQUARE) * side, EYE_REACH * side
    middles = np.array([points[list(AROUND[name])].mean(0) for name in ("left_eye", "right_eye")])
    return middles, EYE_REACH_OF_DISTANCE * float(np.linalg.norm(middles[1] - middles[0]))


def _around(points: Points, name: str) -> Box:
    """The box of a region around its points."""
    own = points[list(AROUND[name])]
    middle = (own.min(0) + own.max(0)) / 2
    half = (own.max(0) - own.min(0)) / 2 * np.array(WIDER[name])
    (x1, y1), (x2, y2) = middle - half, middle + half
    return float(x1), float(y1), float(x2), float(y2)


def _distance(box: Box, place: NDArray[np.float64]) -> float:
    x1, y1, x2, y2 = box
    return float(np.hypot((x1 + x2) / 2 - place[0], (y1 + y2) / 2 - place[1]))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _share_within(box: Box, other: Box) -> float:
    """How much of the smaller of two boxes lies in the other."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, width) * max(0.0, height) / min(_area(box), _area(other))
