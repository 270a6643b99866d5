"""Regions of faces: where they lie, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from seqfer.demo import portrait_path
from seqfer.faces.geometry import overlap
from seqfer.faces.regions import NAMES, Region, RegionFinder
from seqfer.faces.types import Box
from seqfer.video.stills import read_image
from seqfer.video.types import Image

# The portrait's regions, as marked by hand in its 512x600 pixels.
MARKED: dict[str, Box] = {
    "face": (150.0, 100.0, 380.0, 330.0),
    "left_eye": (205.0, 178.0, 243.0, 215.0),
    "right_eye": (286.0, 178.0, 324.0, 215.0),
    "nose": (235.0, 185.0, 300.0, 258.0),
    "mouth": (222.0, 258.0, 312.0, 296.0),
}


@pytest.fixture(scope="module")
def finder() -> Iterator[RegionFinder]:
    made = RegionFinder()
    yield made
    made.close()


@pytest.fixture(scope="module")
def portrait() -> Image:
    return read_image(portrait_path())


def resized(image: Image, width: int) -> Image:
    height = round(image.shape[0] * width / image.shape[1])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("width", [256, 512, 1500])
def test_all_regions_of_the_portrait_in_its_own_pixels(finder: RegionFinder, portrait: Image, width: int) -> None:
    faces = finder.find(resized(portrait, width))
    assert [[region.name for region in face] for face in faces] == [list(NAMES)]
    for region in faces[0]:
        x1, y1, x2, y2 = (value * 512 / width for value in region.box)
        assert overlap((x1, y1, x2, y2), MARKED[region.name]) > 0.4, region
    assert [region.source for region in faces[0]] == ["cascade"] * 3 + ["landmarks"] * 2


@pytest.mark.parametrize("side", [32, 48, 64])
def test_small_grey_pictures_that_the_face_fills(finder: RegionFinder, portrait: Image, side: int) -> None:
    x1, y1, x2, y2 = 140, 90, 370, 320  # as FER-2013 and CK+48 frame a face
    small = cv2.resize(portrait[y1:y2, x1:x2], (side, side), interpolation=cv2.INTER_AREA)
    grey = np.repeat(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    faces = finder.find(grey)
    assert [[region.name for region in face] for face in faces] == [list(NAMES)]
    scale = side / (x2 - x1)
    for region in faces[0][1:]:
        marked = (np.array(MARKED[region.name]) - [x1, y1, x1, y1]) * scale
        assert overlap(region.box, (marked[0], marked[1], marked[2], marked[3])) > 0.35, region
        assert min(region.box) >= 0
        assert max(region.box) <= side


def test_several_faces_from_left_to_right(finder: RegionFinder, portrait: Image) -> None:
    faces = finder.find(np.hstack([portrait, portrait[:, ::-1], portrait]))
    assert len(faces) == 3
    lefts = [face[0].box[0] for face in faces]
    assert lefts == sorted(lefts)
    assert lefts[2] - lefts[0] == pytest.approx(1024, abs=15)


def test_a_turned_face_that_the_cascade_misses_has_its_regions_from_landmarks(
    finder: RegionFinder, portrait: Image
) -> None:
    matrix = cv2.getRotationMatrix2D((256, 210), 35, 0.8)
    turned = cv2.warpAffine(portrait, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    faces = finder.find(np.asarray(turned, np.uint8))
    assert [[region.name for region in face] for face in faces] == [list(NAMES)]
    face, left, right, _, mouth = faces[0]
    assert {face.source, mouth.source} == {"landmarks"}
    # Turned counter-clockwise, its eye on the left lies lower, and its mouth on the right.
    assert left.box[1] > right.box[3] - 20
    assert mouth.box[0] > (left.box[0] + right.box[0]) / 2


def test_regions_end_where_the_picture_ends(finder: RegionFinder, portrait: Image) -> None:
    cut = np.ascontiguousarray(portrait[150:, 190:])
    faces = finder.find(cut)
    assert len(faces) == 1
    for region in faces[0]:
        x1, y1, x2, y2 = region.box
        assert 0 <= x1 < x2 <= cut.shape[1]
        assert 0 <= y1 < y2 <= cut.shape[0]
    assert faces[0][0].box[:2] == (0, 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((90, 120, 3), np.uint8),
        np.full((1, 1, 3), 200, np.uint8),
        np.full((1, 400, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8),
    ],
    ids=["black", "one pixel", "a line", "noise"],
)
def test_no_face(finder: RegionFinder, image: Image) -> None:
    assert finder.find(image) == []


def test_one_picture_does_not_influence_the_next(finder: RegionFinder, portrait: Image) -> None:
    first = finder.find(portrait)
    assert finder.find(np.zeros_like(portrait)) == []
    assert finder.find(portrait) == first


@pytest.mark.parametrize(
    ("name", "box"),
    [("ear", (0.0, 0.0, 1.0, 1.0)), ("nose", (1.0, 0.0, 1.0, 1.0)), ("nose", (0.0, 0.0, float("nan"), 1.0))],
)
def test_what_is_no_region_is_refused(name: str, box: Box) -> None:
    with pytest.raises(ValueError, match=r"region is one of|box is"):
        Region(name, box, "cascade")
