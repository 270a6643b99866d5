"""Preprocess: the one place where a face becomes network input.

It fixes both halves of the way: which part of the frame around a detected face is cut out (`CropGeometry`,
carried out by `seqfer.faces.alignment`), and how the pixels of that crop become numbers. Training and
annotation share it, and every checkpoint carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seqfer.errors import ModelError

if TYPE_CHECKING:
    import torch

# ITU-R BT.601 luma, which FER-2013's grey images and OpenCV's conversion use.
GREY_WEIGHTS = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class CropGeometry:
    """The square around a face that is cut out, relative to its detection box.

    The defaults reproduce FER-2013's own framing: over 2,900 of its training images MediaPipe's short-range
    box is 0.84 of the image wide (median) and its centre lies 0.09 of the image below the middle.

    Attributes:
        margin: side of the crop over side of the box.
        shift_up: how far the crop's centre lies above the box's, in box sides.
        align: turn the face so that its eyes lie level, where the detector gives landmarks.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    margin: float = 1.19
    shift_up: float = 0.107
    align: bool = True

    def __post_init__(self) -> None:
        if not 0.2 <= self.margin <= 5:
            raise ModelError(f"crop margin must lie in [0.2, 5], not {self.margin}")
        if not -1 <= self.shift_up <= 1:
            raise ModelError(f"crop shift_up must lie in [-1, 1], not {self.shift_up}")


@dataclass(frozen=True)
class Preprocess:
    """From an RGB or grey face crop to network input.

    Attributes:
        size: side of the square input in pixels (H = W).
        channels: 1 for grey (BT.601 luma), 3 for RGB.
        geometry: the part of the frame that a crop shows.

    Each channel of each frame is standardised by its own mean and standard deviation, which takes out
    exposure and contrast; a constant image becomes zeros.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    size: int = 48
    channels: int = 1
    geometry: CropGeometry = field(default_factory=CropGeometry)

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 1024:
            raise ModelError(f"input size must lie in [16, 1024] pixels, not {self.size}")
        if self.channels not in (1, 3):
            raise ModelError(f"channels must be 1 (grey) or 3 (RGB), not {self.channels}")

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Network input from crops.

        Args:
            crops: (N, H, W, C) uint8, H = W = `size`, C = 3 (RGB) or 1 (grey).

        Returns:
            (N, `channels`, H, W) float32.
        """
        return self.standardise(self.planes(crops))

    def planes(self, crops: torch.Tensor) -> torch.Tensor:
        """Channels of the crops: (N, H, W, C) uint8 to (N, `channels`, H, W) float32 in [0, 1]."""
        if crops.ndim != 4 or crops.shape[1:3] != (self.size, self.size) or crops.shape[3] not in (1, 3):
            wanted = f"(N, {self.size}, {self.size}, 1 or 3)"
            raise ValueError(f"crops must be {wanted}, not {tuple(crops.shape)}")
        planes = crops.permute(0, 3, 1, 2).float() / 255
        if self.channels == 3:
            return planes.expand(-1, 3, -1, -1)
        if planes.shape[1] == 3:
            weights = planes.new_tensor(GREY_WEIGHTS).view(1, 3, 1, 1)
            planes = (planes * weights).sum(1, keepdim=True)
        return planes

    @staticmethod
    def standardise(planes: torch.Tensor) -> torch.Tensor:
        """Zero mean and unit deviation per image and channel: (N, C, H, W) float to the same shape."""
        mean = planes.mean((2, 3), keepdim=True)
        deviation = planes.std((2, 3), keepdim=True, unbiased=False)
        # One grey level of 255 as the floor: a flat image stays flat instead of amplified noise.
        return (planes - mean) / deviation.clamp_min(1 / 255)
