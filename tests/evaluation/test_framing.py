from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seqfer.demo import portrait_path
from seqfer.errors import OptionError
from seqfer.evaluation.framing import (
    FADE,
    HEIGHT,
    PERCENTILES,
    SIDES,
    WIDTH,
    Placement,
    find_still,
    lay_into_scene,
    placement_of,
    spread_of,
)
from seqfer.faces.alignment import square_of
from seqfer.faces.geometry import Square, cut_square
from seqfer.faces.types import Box, Detection
from seqfer.preprocess import CropGeometry
from seqfer.video.stills import read_image
from seqfer.video.types import Frame, Image


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """A grey face of 48 x 48 pixels that fills its still, as FER-2013's do."""
    image = read_image(portrait_path())
    height, width, _ = image.shape
    middle, side = (width * 0.49, height * 0.335), width * 0.45
    return np.asarray(cut_square(image, middle, side, 48)[..., 1], np.uint8)


class Sees:
    """A detector that sees the same boxes in every frame."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def glance(self, image: Image) -> list[Detection]:
        return [Detection(box, 0.9) for box in self.boxes]

    def detect(self, frame: Frame, seen: list[Detection], new_scene: bool) -> list[Detection]:
        assert new_scene
        return seen

    def close(self) -> None:
        pass


class TestScenes:
    @pytest.mark.parametrize("side", [SIDES[0], 96, 145, SIDES[1]])
    def test_the_still_is_where_the_scene_says(self, face: NDArray[np.uint8], side: int) -> None:
        scene = lay_into_scene(face, side, np.random.default_rng(1))
        assert scene.image.shape == (HEIGHT, WIDTH, 3)
        assert scene.still.side == side
        back = cut_square(scene.image, scene.still.centre, side, 48)[..., 0].astype(int)
        aside = [np.roll(face, step, axis) for step in (-1, 1) for axis in (0, 1)]
        assert np.abs(back - face).mean() < 0.5 * min(np.abs(back - other).mean() for other in aside)

    def test_all_of_the_still_is_there_pixel_for_pixel(self, face: NDArray[np.uint8]) -> None:
        scene = lay_into_scene(face, 96, np.random.default_rng(2))
        left, top = (round(middle - 48) for middle in scene.still.centre)
        enlarged = cv2.resize(face, (96, 96), interpolation=cv2.INTER_CUBIC).astype(int)
        difference = np.abs(scene.image[top : top + 96, left : left + 96, 0] - enlarged)
        assert difference.max() == 0

    def test_there_is_no_edge_around_the_still(self) -> None:
        scene = lay_into_scene(np.full((48, 48), 255, np.uint8), 100, np.random.default_rng(3))
        row = scene.image[int(scene.still.centre[1]), :, 0].astype(int)
        assert row.max() == 255
        steps = np.abs(np.diff(row))
        # From white to grey within the fade; an edge would be one step of half the levels.
        assert steps.max() < 30

    def test_beyond_the_fade_nothing_of_the_still_is_left(self) -> None:
        stills = (np.full((48, 48), level, np.uint8) for level in (10, 240))
        dark, light = (lay_into_scene(still, 96, np.random.default_rng(4)) for still in stills)
        reach = 48 + round(FADE * 96)
        x, y = (int(middle) for middle in dark.still.centre)
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[y - reach : y + reach, x - reach : x + reach] = False
        assert (dark.image[outside] == light.image[outside]).all()

    def test_the_generator_decides_everything(self, face: NDArray[np.uint8]) -> None:
        first, again, other = (lay_into_scene(face, 96, np.random.default_rng(seed)) for seed in (5, 5, 6))
        assert (first.image == again.image).all()
        assert first.still == again.still
        assert first.still != other.still

    @pytest.mark.parametrize("side", [SIDES[0] - 1, SIDES[1] + 1])
    def test_a_still_that_does_not_fit_is_refused(self, face: NDArray[np.uint8], side: int) -> None:
        with pytest.raises(OptionError, match=f"not {side}"):
            lay_into_scene(face, side, np.random.default_rng(0))


class TestFinding:
    def test_the_detection_that_covers_the_still_counts(self, face: NDArray[np.uint8]) -> None:
        scene = lay_into_scene(face, 96, np.random.default_rng(7))
        x, y = scene.still.centre
        nearly, exactly = (x - 30, y - 30, x + 60, y + 60), (x - 48, y - 48, x + 48, y + 48)
        found = find_still(scene, Sees(nearly, exactly))
        assert found is not None
        assert found.box == exactly

    def test_one_elsewhere_does_not(self, face: NDArray[np.uint8]) -> None:
        scene = lay_into_scene(face, 96, np.random.default_rng(7))
        x, y = scene.still.centre
        assert find_still(scene, Sees((x + 40, y + 40, x + 140, y + 140))) is None
        assert find_still(scene, Sees()) is None

    def test_mediapipe_finds_a_face_and_its_crop_lies_near_the_still(self, face: NDArray[np.uint8]) -> None:
        mediapipe = pytest.importorskip("seqfer.faces.mediapipe")
        detector = mediapipe.MediaPipeDetector()
        scene = lay_into_scene(face, 160, np.random.default_rng(8))
        found = find_still(scene, detector)
        detector.close()
        assert found is not None
        placement = placement_of(square_of(found, CropGeometry()), scene.still)
        assert 0.6 < placement.scale < 1.5
        assert abs(placement.right) < 0.2
        assert abs(placement.down) < 0.2
        assert abs(placement.turn_deg) < 20


class TestPlacement:
    STILL = Square((300, 200), 100)

    @pytest.mark.parametrize(
        ("crop", "expected"),
        [
            (Square((300, 200), 100), Placement(1, 0, 0, 0)),
            (Square((300, 200), 150), Placement(1.5, 0, 0, 0)),
            (Square((310, 200), 100), Placement(1, 0.1, 0, 0)),
            (Square((300, 180), 200), Placement(2, 0, -0.1, 0)),
            (Square((300, 200), 100, math.radians(12)), Placement(1, 0, 0, 12)),
        ],
        ids=["same", "larger", "to the right", "higher and larger", "turned"],
    )
    def test_it_says_how_the_crop_differs(self, crop: Square, expected: Placement) -> None:
        found = placement_of(crop, self.STILL)
        assert vars(found) == pytest.approx(vars(expected))

    @pytest.mark.parametrize("margin", [1.0, 1.3])
    def test_a_box_that_is_the_still_gives_a_crop_by_the_geometry_alone(self, margin: float) -> None:
        geometry = CropGeometry(margin=margin, shift_up=0.1)
        found = placement_of(square_of(Detection((250, 150, 350, 250), 1.0), geometry), self.STILL)
        assert vars(found) == pytest.approx(vars(Placement(margin, 0, -0.1 / margin, 0)))

    def test_the_spread_is_of_each_number_by_itself(self) -> None:
        placements = [Placement(1 + k / 100, k, -k, 2 * k) for k in range(101)]
        spread = spread_of(placements)
        assert spread["scale"] == pytest.approx([1 + percent / 100 for percent in PERCENTILES])
        assert spread["right"] == pytest.approx(list(PERCENTILES))
        assert spread["down"] == pytest.approx([percent - 100 for percent in PERCENTILES])
        assert spread["turn_deg"] == pytest.approx([2 * percent for percent in PERCENTILES])
