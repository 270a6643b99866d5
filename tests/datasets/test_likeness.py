from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seqfer.datasets import likeness
from seqfer.datasets.fer2013 import load_fer2013
from seqfer.datasets.likeness import Fingerprints, fingerprints, near_pairs
from seqfer.datasets.types import SPLITS
from seqfer.demo import portrait_path
from seqfer.video.stills import read_image


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """A grey face of 96 x 96 pixels."""
    image = read_image(portrait_path())
    height, width, _ = image.shape
    grey = cv2.cvtColor(image[height // 6 : height // 2, width // 4 : width * 3 // 4], cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA), np.uint8)


def are_near(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    return len(near_pairs(fingerprints([first]), fingerprints([second]))) == 1


class TestEqual:
    def test_grey_and_its_rgb_copy_are_the_same(self, face: NDArray[np.uint8]) -> None:
        both = fingerprints([face, np.repeat(face[:, :, None], 3, axis=2)])
        assert both.digests[0] == both.digests[1]

    def test_one_pixel_or_another_shape_is_not(self, face: NDArray[np.uint8]) -> None:
        changed = face.copy()
        changed[0, 0] ^= 1
        flat = np.zeros((4, 9), np.uint8)
        digests = fingerprints([face, changed, flat, flat.reshape(6, 6)]).digests
        assert len(set(digests)) == 4

    def test_pictures_of_one_colour_pair_only_with_their_equals(self) -> None:
        black, white = np.zeros((48, 48), np.uint8), np.full((48, 48), 255, np.uint8)
        prints = fingerprints([black, white, black])
        assert near_pairs(prints, prints).tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2]]


class TestNear:
    @pytest.mark.parametrize("change", ["smaller", "compressed", "cropped", "brighter", "noisy", "watermark"])
    def test_another_version_of_the_same_photo_is_found(self, face: NDArray[np.uint8], change: str) -> None:
        rng = np.random.default_rng(0)
        changed: NDArray[Any] = face.copy()
        if change == "smaller":
            changed = cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA)
        elif change == "compressed":
            changed = cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0)
        elif change == "cropped":
            changed = face[2:-1, 1:-2]
        elif change == "brighter":
            changed = cv2.convertScaleAbs(face, alpha=1.2, beta=10)
        elif change == "noisy":
            changed = np.clip(face + rng.normal(0, 8, face.shape), 0, 255).astype(np.uint8)
        else:
            changed[40:44, 10:80] = 255
        assert are_near(face, np.asarray(changed, np.uint8))

    def test_pixels_that_correlate_are_not_enough(self, face: NDArray[np.uint8]) -> None:
        light = np.linspace(0, 255, 96)[None].repeat(96, 0)
        one, other = ((0.75 * light + 0.25 * part).astype(np.uint8) for part in (face, face[::-1]))
        prints = fingerprints([one, other])
        thumbnails = prints.thumbnails.astype(float)
        assert np.corrcoef(thumbnails)[0, 1] > likeness.LEAST_CORRELATION
        assert (prints.bits[0] != prints.bits[1]).sum() > likeness.MOST_BITS
        assert not are_near(one, other)

    def test_other_pictures_are_not(self, face: NDArray[np.uint8]) -> None:
        rng = np.random.default_rng(0)
        assert not are_near(face, np.ascontiguousarray(face[::-1]))
        assert not are_near(face, rng.integers(0, 255, face.shape, np.uint8))
        assert not are_near(face, np.ascontiguousarray(np.roll(face, 24, axis=1)))


def test_every_pair_is_found_across_blocks(face: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "BLOCK", 3)
    monkeypatch.setattr(likeness, "WIDE_BLOCK", 4)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 48), np.uint8) for _ in range(10)]
    images[7] = images[1]
    pairs = near_pairs(fingerprints(images), fingerprints(images[:5]))
    assert {tuple(pair) for pair in pairs.tolist()} == {(k, k) for k in range(5)} | {(7, 1)}


def test_only_wanted_pairs_are_looked_at(face: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence's own pictures are all alike: their pixels need not be compared."""
    prints = fingerprints([face] * 40)
    compared: list[int] = []
    correlation = likeness._correlation

    def watched(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        compared.append(len(first))
        return correlation(first, second)

    monkeypatch.setattr(likeness, "_correlation", watched)
    monkeypatch.setattr(likeness, "BLOCK", 16)
    monkeypatch.setattr(likeness, "WIDE_BLOCK", 32)
    pairs = near_pairs(prints, prints, lambda i, j: (i < j) & (i < 2))
    assert sorted(map(tuple, pairs.tolist())) == [(i, j) for i in range(2) for j in range(i + 1, 40)]
    assert sum(compared) == len(pairs)
    assert max(compared) <= 16


def test_no_pictures_have_no_pairs() -> None:
    nothing = fingerprints([])
    assert isinstance(nothing, Fingerprints)
    assert len(nothing) == 0
    assert near_pairs(nothing, nothing).shape == (0, 2)


def test_fer2013_repeats_as_many_pictures_as_is_known(shared_fer2013: Path) -> None:
    data = load_fer2013(shared_fer2013)
    train, validation, test = (fingerprints(data[name].images).digests for name in SPLITS)
    assert np.isin(test, train).sum() == 288
    assert np.isin(validation, train).sum() == 280
    assert len(train) - len(np.unique(train)) == 1236
    assert len(np.intersect1d(validation, test)) == 43
