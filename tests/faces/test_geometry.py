from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqfer.faces.geometry import Square, cut_square, iou, lay_back, overlap
from seqfer.faces.types import Box

boxes = st.tuples(st.floats(-100, 600), st.floats(-100, 600), st.floats(1, 300), st.floats(1, 300)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),  # they touch
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 1 / 4),  # one inside the other
    ],
)
def test_overlap(first: Box, second: Box, value: float) -> None:
    assert overlap(first, second) == pytest.approx(value)


@given(st.lists(boxes, min_size=1, max_size=5), st.lists(boxes, min_size=1, max_size=5))
def test_iou_of_many_is_that_of_each_pair(first: list[Box], second: list[Box]) -> None:
    table = iou(np.array(first), np.array(second))
    assert table.shape == (len(first), len(second))
    assert ((table >= 0) & (table <= 1 + 1e-9)).all()
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            assert table[i, j] == pytest.approx(overlap(b, a))


def landmark_image(size: int = 240) -> np.ndarray:
    """Smooth brightness that tells the place: red grows to the right, green downwards."""
    y, x = np.mgrid[0:size, 0:size]
    return np.stack([x, y, np.full_like(x, 40)], 2).astype(np.uint8)


@pytest.mark.parametrize("size", [24, 48, 60, 120])
@pytest.mark.parametrize("angle", [0, 30, -75])
def test_cut_square_shows_the_right_place(size: int, angle: float) -> None:
    side, centre, turn = 120.0, (118.0, 123.0), math.radians(angle)
    cut = cut_square(landmark_image(), centre, side, size, turn).astype(float)
    for u, v in [(0.5, 0.5), (0.25, 0.5), (0.5, 0.8), (0.7, 0.3)]:
        # The point at (u, v) of the square, in the image.
        right, down = (u - 0.5) * side, (v - 0.5) * side
        x = centre[0] + math.cos(turn) * right - math.sin(turn) * down
        y = centre[1] + math.sin(turn) * right + math.cos(turn) * down
        row, column = min(size - 1, int(v * size)), min(size - 1, int(u * size))
        pixel_u, pixel_v = (column + 0.5) / size, (row + 0.5) / size
        right, down = (pixel_u - 0.5) * side, (pixel_v - 0.5) * side
        x = centre[0] + math.cos(turn) * right - math.sin(turn) * down - 0.5
        y = centre[1] + math.sin(turn) * right + math.cos(turn) * down - 0.5
        assert cut[row, column, 0] == pytest.approx(x, abs=1.2)
        assert cut[row, column, 1] == pytest.approx(y, abs=1.2)


def test_what_lies_outside_repeats_the_border() -> None:
    cut = cut_square(landmark_image(100), (0.0, 50.0), 80.0, 40)
    assert (cut[:, :18, 0] <= 1).all()
    assert cut[20, 38, 0] == pytest.approx(37, abs=2)


def test_pictures_may_be_wider_than_opencv_can_warp() -> None:
    image = np.zeros((60, 40_000, 3), np.uint8)
    image[20:40, 35_000:35_020] = 200
    cut = cut_square(image, (35_010.0, 30.0), 20.0, 40)
    assert (cut[4:-4, 4:-4] == 200).all()


@pytest.mark.parametrize("centre", [(-500.0, -500.0), (900.0, 20.0)])
def test_a_square_far_outside_is_still_a_picture(centre: tuple[float, float]) -> None:
    assert cut_square(landmark_image(50), centre, 300.0, 48).shape == (48, 48, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (300, 2, 3)])
def test_tiny_images(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 90, np.uint8)
    assert (cut_square(image, (0.5, 0.5), 200.0, 32) == 90).all()


def test_shrinking_averages() -> None:
    # A pattern of single pixels, black and white: picked out one by one it would stay black or white.
    pattern = np.indices((240, 240)).sum(0) % 2 * 255
    image = np.repeat(pattern[:, :, None], 3, 2).astype(np.uint8)
    cut = cut_square(image, (120.0, 120.0), 200.0, 40)
    assert np.abs(cut.astype(int) - 127).max() < 12


@pytest.mark.parametrize("angle", [0, 30, -75, 180])
@pytest.mark.parametrize("centre", [(118.0, 123.0), (20.0, 130.0), (235.0, 5.0)], ids=["inside", "left", "corner"])
@pytest.mark.parametrize("side", [60.0, 130.5])
def test_laying_back_undoes_cutting(centre: tuple[float, float], angle: float, side: float) -> None:
    image, square = landmark_image(), Square(centre, side, math.radians(angle))
    cut = cut_square(image, centre, side, 48, square.angle_rad)[..., 0].astype(np.float32)
    rows, columns, laid = lay_back(cut, square, 240, 240)
    assert laid.shape == (rows.stop - rows.start, columns.stop - columns.start)
    y, x = np.mgrid[rows, columns] + 0.5
    right = math.cos(square.angle_rad) * (x - centre[0]) + math.sin(square.angle_rad) * (y - centre[1])
    down = -math.sin(square.angle_rad) * (x - centre[0]) + math.cos(square.angle_rad) * (y - centre[1])
    pixel = side / 48
    inside = np.maximum(np.abs(right), np.abs(down)) < side / 2 - pixel
    outside = np.maximum(np.abs(right), np.abs(down)) > side / 2 + pixel
    assert inside.sum() > 0.15 * side**2
    # Red tells the column; a pixel of the cut stands for `pixel` of them.
    assert np.abs(laid[inside] - image[rows, columns, 0][inside]).max() < 1.5 + pixel / 2
    assert (laid[outside] == 0).all()


@pytest.mark.parametrize("centre", [(-200.0, 50.0), (50.0, 900.0)])
def test_a_square_outside_lays_nothing_into_the_image(centre: tuple[float, float]) -> None:
    rows, columns, laid = lay_back(np.ones((48, 48), np.float32), Square(centre, 60.0, 0.3), 100, 80)
    assert laid.size == 0
    assert np.zeros((80, 100))[rows, columns].shape == laid.shape
