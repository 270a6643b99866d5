from __future__ import annotations

import numpy as np

from seqfer.explanation.drawing import STRONGEST, blend, colours_of, softened


def test_where_there_is_no_heat_the_picture_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    heat = np.zeros((20, 30), np.float32)
    heat[5, 6] = 1
    blended = blend(image, heat)
    expected = (1 - STRONGEST) * image[5, 6] + STRONGEST * colours_of(heat)[5, 6]
    assert np.abs(blended[5, 6] - expected).max() <= 1
    heat[5, 6] = 0
    changed = (blended != image).any(2)
    assert changed.sum() == 1


def test_colours_grow_lighter_with_the_heat() -> None:
    colours = colours_of(np.linspace(0, 1, 50, dtype=np.float32)[None])
    lightness = colours[0].astype(float) @ (0.299, 0.587, 0.114)
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[0] < 5
    assert lightness[-1] > 200


def test_softened_spots_stay_where_they_are() -> None:
    heat = np.zeros((48, 48), np.float32)
    heat[10, 30] = 1
    soft = softened(heat)
    assert soft[10, 30] == soft.max() == 1
    assert soft[10, 31] > 0.3
    assert soft[30, 30] == 0
    assert not softened(np.zeros((48, 48), np.float32)).any()
