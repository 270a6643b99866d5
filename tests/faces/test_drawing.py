"""The pictures of regions and of edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from seqfer.demo import portrait_path
from seqfer.edges import canny
from seqfer.faces.drawing import RED, draw_edges, draw_regions, enlargement
from seqfer.faces.regions import Region
from seqfer.video.stills import read_image


@pytest.mark.parametrize("factor", [1, 3])
def test_lines_are_red_and_two_pixels_wide(factor: int) -> None:
    image = np.full((40, 50, 3), 90, np.uint8)
    drawn = draw_regions(image, [[Region("mouth", (10.0, 5.0, 30.0, 25.0), "landmarks")]], factor)
    assert drawn.shape == (40 * factor, 50 * factor, 3)
    red = (drawn == RED).all(2)
    row, column = red[15 * factor], red[:, 20 * factor]
    at = [10 * factor, 10 * factor + 1, 30 * factor - 2, 30 * factor - 1]
    assert np.flatnonzero(row).tolist() == at
    assert np.flatnonzero(column).tolist() == [5 * factor, 5 * factor + 1, 25 * factor - 2, 25 * factor - 1]
    assert (drawn[~red] == 90).all()
    assert (image == 90).all()


def test_boxes_at_the_border_are_seen_whole() -> None:
    drawn = draw_regions(np.zeros((30, 30, 3), np.uint8), [[Region("face", (0.0, 0.0, 30.0, 30.0), "cascade")]])
    assert (drawn[[0, 1, -2, -1]] == RED).all()
    assert (drawn[:, [0, 1, -2, -1]] == RED).all()


def test_edges_are_cannys_of_the_equalised_picture() -> None:
    portrait = read_image(portrait_path())
    equalised = np.asarray(cv2.equalizeHist(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)), np.uint8)
    drawn = draw_edges(portrait)
    assert set(np.unique(drawn)) == {0, 255}
    assert ((drawn == 255) == canny(equalised[None])[0]).all()
    # Equalisation brings out what lies in the dark: a dimmed picture has nearly the same edges.
    dimmed = draw_edges((portrait * 0.3).astype(np.uint8))
    assert ((dimmed == 255) & (drawn == 255)).sum() > 0.6 * (drawn == 255).sum()


def test_edges_are_found_before_the_picture_is_enlarged() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 10:] = 255
    assert (draw_edges(image, 4)[::4, ::4] == draw_edges(image)).all()
    assert not draw_edges(np.full((20, 20, 3), 77, np.uint8)).any()


@pytest.mark.parametrize(
    ("shape", "factor"), [((48, 48, 3), 8), ((100, 300, 3), 3), ((600, 512, 3), 1), ((1, 1, 3), 8)]
)
def test_small_pictures_are_drawn_larger(shape: tuple[int, int, int], factor: int) -> None:
    assert enlargement(np.zeros(shape, np.uint8)) == factor
