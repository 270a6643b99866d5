"""Which pictures are copies of each other: pixel for pixel, or another crop, size or compression of one photo.

Two pictures are near-identical if their perceptual hashes (OpenCV's pHash: the signs of the lowest 64 cosine
frequencies) nearly agree and their pixels correlate. Either alone errs: hashes of two frontal faces may agree by
chance, and pixels correlate wherever light falls from the same side.

The two limits were set by eye on FER-2013: of 16 pairs drawn at random from just inside both of them (7 or 8 bits,
0.88 to 0.92), 15 show the same photo; just outside (0.85 to 0.88) it is 10 of 16.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64
MOST_BITS = 8  # of the hashes may differ
LEAST_CORRELATION = 0.88  # of the thumbnails
THUMBNAIL = 32  # pixels
BLOCK, WIDE_BLOCK = 1024, 16384  # hashes that are compared with others at once


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of N pictures to compare them.

    Attributes:
        digests: (N,) digest of the size and the pixels; the same only for equal pictures.
        bits: (N, 64) uint8, 0 or 1, the perceptual hash.
        thumbnails: (N, 32 * 32) uint8, grey.
    """

    digests: NDArray[np.str_]
    bits: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.digests)

    def __repr__(self) -> str:
        return f"Fingerprints(n={len(self)})"


def fingerprints(images: Iterable[NDArray[np.uint8]]) -> Fingerprints:
    """Fingerprints of pictures, (H, W) grey or (H, W, 3) RGB uint8 each; a grey one equals its RGB copy."""
    hasher = cv2.img_hash.PHash_create()  # type: ignore[attr-defined]  # of OpenCV's contrib modules
    digests, bits, thumbnails = [], [], []
    for image in images:
        grey = _grey(image)
        digests.append(hashlib.blake2b(grey.tobytes() + str(grey.shape).encode(), digest_size=16).hexdigest())
        bits.append(np.unpackbits(hasher.compute(grey)[0]))
        thumbnails.append(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).reshape(-1))
    return Fingerprints(
        np.array(digests, np.str_),
        np.array(bits, np.uint8).reshape(-1, HASH_BITS),
        np.array(thumbnails, np.uint8).reshape(-1, THUMBNAIL**2),
    )


def near_pairs(
    first: Fingerprints,
    second: Fingerprints,
    wanted: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]] | None = None,
) -> NDArray[np.int64]:
    """Near-identical and equal pictures: (P, 2) positions in `first` and in `second`.

    A set may be compared with itself; each picture then also pairs with itself, and each pair is there twice.

    Args:
        first: some pictures.
        second: others.
        wanted: which of such pairs (positions in `first`, those in `second`) count at all; all if not given.
    """
    found: list[NDArray[np.int64]] = []
    blocks = product(range(0, len(first), BLOCK), range(0, len(second), WIDE_BLOCK))
    for top, left in blocks:
        # The product of two sign vectors is the number of agreeing bits less that of differing ones.
        others = _signs(second.bits[left : left + WIDE_BLOCK])
        agreement = _signs(first.bits[top : top + BLOCK]) @ others.T
        pairs = np.argwhere(agreement >= HASH_BITS - 2 * MOST_BITS) + np.array([top, left])
        if wanted is not None:
            pairs = pairs[wanted(*pairs.T)]
        found += [
            some[_alike(first, second, *some.T)] for some in np.split(pairs, range(BLOCK, len(pairs), BLOCK))
        ]
    return np.concatenate([np.zeros((0, 2), np.int64), *found])


def _alike(
    first: Fingerprints, second: Fingerprints, i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the pixels of pairs whose hashes agree are alike, too."""
    equal = first.digests[i] == second.digests[j]  # pictures of one colour have no correlation
    return np.asarray(
        equal | (_correlation(first.thumbnails[i], second.thumbnails[j]) >= LEAST_CORRELATION), np.bool_
    )


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim == 2:
        return image
    if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        return np.ascontiguousarray(image[..., 0])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _signs(bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    return bits.astype(np.float32) * 2 - 1


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pearson's correlation of each row of (P, X) with the same row of the other; 0 where a row is constant."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    a -= a.mean(1, keepdims=True)
    b -= b.mean(1, keepdims=True)
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.zeros(len(a), np.float32), where=scale > 0)
