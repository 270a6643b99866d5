from __future__ import annotations

import numpy as np
import pytest

from seqfer.edges import canny


def disc(side: int = 48, radius: float = 14, light: int = 200, dark: int = 60) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    return np.where(np.hypot(x, y) < radius, light, dark).astype(np.uint8)


def test_edges_lie_where_the_grey_changes() -> None:
    edges = canny(disc()[None])[0]
    y, x = np.nonzero(edges)
    radius = np.hypot(x - 23.5, y - 23.5)
    assert edges.dtype == bool
    assert len(radius) > 60  # a closed ring has 2 pi r = 88 pixels, fewer where it runs diagonally
    assert np.all(np.abs(radius - 14) < 2.5)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_flat_image_has_no_edges(level: int) -> None:
    assert not canny(np.full((1, 48, 48), level, np.uint8)).any()


def test_contrast_decides_nothing_for_thresholds_are_the_images_own() -> None:
    strong, weak = disc(light=250, dark=10), disc(light=130, dark=100)
    edges = canny(np.stack([strong, weak]))
    assert (edges[0] == edges[1]).mean() > 0.97


def test_images_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 40), dtype=np.uint8)
    assert np.array_equal(canny(images)[2], canny(images[2:3])[0])
