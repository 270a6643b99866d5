"""Edges of small grey images, by Canny's detector (IEEE PAMI 8, 1986) with thresholds of each image's own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# As MATLAB's edge(image, "canny"): a Gaussian before the gradient; strong edges are the steepest 30 % of pixels,
# weak ones reach 0.4 of their gradient.
SIGMA = 2**0.5
NO_EDGE = 0.7
WEAK = 0.4


def canny(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The pixels of grey images (N, H, W) that lie on an edge, in the same shape."""
    edges = np.zeros(images.shape, bool)
    for image, result in zip(images, edges, strict=True):
        smooth = cv2.GaussianBlur(image, (0, 0), SIGMA)
        across = cv2.Sobel(smooth, cv2.CV_16S, 1, 0)
        down = cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
        steepness = np.hypot(across.astype(np.float32), down.astype(np.float32))
        # An image without contrast has no edges; its threshold must not be 0.
        strong = max(float(np.quantile(steepness, NO_EDGE)), 1.0)
        result[:] = cv2.Canny(across, down, WEAK * strong, strong, L2gradient=True) > 0
    return edges
