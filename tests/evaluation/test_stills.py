from __future__ import annotations

import numpy as np
import pytest

from seqfer.datasets.fer2013 import StillSet
from seqfer.evaluation.metrics import metrics, uar_interval, wilson_interval
from seqfer.evaluation.stills import ALL, NEW, UNLIKE, figures_of, parts_of, taken_whole
from seqfer.evaluation.tables import with_interval


def random_stills(count: int, seed: int) -> StillSet:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 12, 12)).astype(np.uint8)
    return StillSet(np.kron(coarse, np.ones((1, 4, 4), np.uint8)), generator.integers(0, 7, count))


def test_parts_leave_out_repeats_and_near_repeats() -> None:
    train, stills = random_stills(30, 1), random_stills(10, 2)
    stills.images[0] = train.images[3]
    stills.images[1] = train.images[4].clip(0, 250) + np.uint8(5)  # brighter: the same photo, other pixels
    parts = parts_of(stills, train)
    assert parts[ALL].all()
    assert np.flatnonzero(~parts[NEW]).tolist() == [0]
    assert np.flatnonzero(~parts[UNLIKE]).tolist() == [0, 1]


def test_figures_come_from_the_counts_and_their_intervals_hold_them() -> None:
    matrix = np.random.default_rng(0).integers(0, 20, (7, 7)) + 60 * np.eye(7, dtype=int)
    figures, plain = figures_of(matrix), metrics(matrix)
    assert (figures["n"], figures["accuracy"], figures["uar"], figures["macro_f1"]) == (
        plain.count,
        plain.accuracy,
        plain.uar,
        plain.macro_f1,
    )
    assert figures["accuracy_interval"] == wilson_interval(int(np.trace(matrix)), plain.count)
    assert figures["uar_interval"] == uar_interval(matrix)
    low, high = figures["macro_f1_interval"]
    assert low < plain.macro_f1 < high
    # Of about 870 stills: as wide as the interval of their accuracy, or nearly so.
    spread = np.diff(figures["accuracy_interval"])[0]
    assert 0.7 * spread < high - low < 1.5 * spread


def test_a_figure_is_shown_in_per_cent() -> None:
    figures = {"uar": 0.64834, "uar_interval": (0.626, 0.67149)}
    assert with_interval(figures, "uar") == "64.8 % (62.6 to 67.1 %)"


@pytest.mark.parametrize("size", [48, 64, 24])
def test_stills_are_taken_whole_in_any_size(size: int) -> None:
    images = random_stills(3, 3).images
    crops = taken_whole(images, size)
    assert crops.shape == (3, size, size, 1)
    if size == 48:
        assert (crops[..., 0] == images).all()
    assert crops.mean() == pytest.approx(images.mean(), abs=1)
