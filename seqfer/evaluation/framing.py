"""What finding a face and cutting it out makes of a still: scenes to find it in, and where the crop then lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.faces.geometry import Square, overlap
from seqfer.faces.types import Detection, Detector
from seqfer.video.types import Frame, Image

WIDTH, HEIGHT = 640, 360  # of a scene, in pixels
FADE = 0.35  # of the still's side: how far around it the scene takes over from its border
BLUR = 0.05  # of the side: deviation of the blur at the outer end of that
SIDES = (48, int(HEIGHT / (1 + 2 * FADE)))  # pixels, within which a still may be laid into a scene
GREY = 128  # a scene's mean level
PATCH = 80  # width in pixels of a scene's soft patches, …
PATCHES, NOISE = 8, 4  # … the deviation of their levels, and that of single pixels
LEAST_OVERLAP = 0.25  # of a detection with the still; another is not the still's face
PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Scene:
    """A still laid into a larger picture.

    Attributes:
        image: (360, 640, 3) RGB uint8.
        still: the square of it that shows the still.
    """

    image: Image
    still: Square


@dataclass(frozen=True)
class Placement:
    """Where a crop lies relative to the still that it should show.

    Attributes:
        scale: the crop's side over the still's.
        right, down: how far the crop's centre lies from the still's, in sides of the crop.
        turn_deg: how far the crop is turned clockwise.
    """

    scale: float
    right: float
    down: float
    turn_deg: float


def lay_into_scene(still: NDArray[np.uint8], side: int, generator: np.random.Generator) -> Scene:
    """A still somewhere in a grey, softly patterned picture, without an edge around it.

    Around the still its border goes on, as `cut_square` lets it beyond a picture, blurs, and fades into the
    pattern; all of the still itself remains.

    Args:
        still: (H, H) grey uint8.
        side: of the still in the scene, in pixels.
        generator: of the place and the pattern.

    Raises:
        OptionError: the still would not fit.
    """
    if not SIDES[0] <= side <= SIDES[1]:
        raise OptionError(
            f"the side of a still in a scene must lie in [{SIDES[0]}, {SIDES[1]}] pixels, not {side}"
        )
    fade = round(FADE * side)
    left = int(generator.integers(fade, WIDTH - side - fade, endpoint=True))
    top = int(generator.integers(fade, HEIGHT - side - fade, endpoint=True))
    enlarged = cv2.resize(still, (side, side), interpolation=cv2.INTER_CUBIC)
    continued = cv2.copyMakeBorder(enlarged, fade, fade, fade, fade, cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(continued, (0, 0), BLUR * side)
    # The distance from the still, beyond its border, in shares of the fade.
    along = np.maximum(0, np.abs(np.arange(side + 2 * fade) + 0.5 - (side / 2 + fade)) - side / 2) / fade
    distance = np.minimum(1, np.hypot(along[:, None], along[None]))
    weight = 0.5 + 0.5 * np.cos(np.pi * distance)
    scene = _pattern(generator)
    part = scene[top - fade : top + side + fade, left - fade : left + side + fade]
    around = blurred + weight * (continued.astype(np.float64) - blurred)
    part += weight * (around - part)
    grey = scene.round().clip(0, 255).astype(np.uint8)
    return Scene(np.repeat(grey[:, :, None], 3, axis=2), Square((left + side / 2, top + side / 2), side))


def _pattern(generator: np.random.Generator) -> NDArray[np.float64]:
    """(360, 640) levels: wide soft patches and a camera's noise around a middle grey."""
    coarse = generator.normal(0, PATCHES, (HEIGHT // PATCH + 1, WIDTH // PATCH + 1))
    patches = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(GREY + patches + generator.normal(0, NOISE, (HEIGHT, WIDTH)), np.float64)


def find_still(scene: Scene, detector: Detector) -> Detection | None:
    """The still's face as annotate's detector finds it in the scene as the first frame of a video."""
    frame = Frame(0, 0.0, scene.image)
    found = detector.detect(frame, detector.glance(frame.image), new_scene=True)
    (x, y), half = scene.still.centre, scene.still.side / 2
    box = (x - half, y - half, x + half, y + half)
    best = max(found, key=lambda face: overlap(face.box, box), default=None)
    return best if best is not None and overlap(best.box, box) >= LEAST_OVERLAP else None


def placement_of(crop: Square, still: Square) -> Placement:
    """Where a crop's square lies relative to the still's in the same picture."""
    right, down = ((crop.centre[axis] - still.centre[axis]) / crop.side for axis in (0, 1))
    return Placement(crop.side / still.side, right, down, math.degrees(crop.angle_rad - still.angle_rad))


def spread_of(placements: Sequence[Placement]) -> dict[str, list[float]]:
    """For each number of a placement its `PERCENTILES` over at least one of them."""
    table = np.percentile(np.array([astuple(placement) for placement in placements]), PERCENTILES, axis=0)
    return {field.name: table[:, column].tolist() for column, field in enumerate(fields(Placement))}
