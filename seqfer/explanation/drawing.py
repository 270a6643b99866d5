"""Maps as colours, alone and over pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.video.types import Image

STRONGEST = 0.75  # opacity of the heat where a map is 1; where it is 0 the picture shows through

SPOT = 1 / 48  # of a map's side: how far `softened` spreads a pixel


def colours_of(heat: NDArray[np.float32]) -> Image:
    """A map (H, W) in [0, 1] in colours from black over red to a light yellow: (H, W, 3)."""
    levels = (heat * 255).round().astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8)


def blend(image: Image, heat: NDArray[np.float32]) -> Image:
    """A picture (H, W, 3) under a map (H, W) in [0, 1]: the stronger the heat, the less of the picture is seen."""
    if heat.size == 0:
        return image.copy()
    opacity = STRONGEST * heat[:, :, None]
    return (image * (1 - opacity) + colours_of(heat) * opacity).astype(np.uint8)


def softened(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map (S, S) in [0, 1] whose single bright pixels have become spots that are seen on a face."""
    soft = cv2.GaussianBlur(heat, (0, 0), SPOT * len(heat))
    return np.asarray(soft / max(float(soft.max()), 1e-6), np.float32)
