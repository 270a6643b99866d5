"""Preprocess: the one place where a face becomes network input.

It fixes both halves of the way: which part of the frame around a detected face is cut out (`CropGeometry`,
carried out by `seqfer.faces.alignment`), and how the pixels of that crop become numbers. Training and
annotation share it, and every checkpoint carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from seqfer.errors import ModelError

if TYPE_CHECKING:
    import torch

# ITU-R BT.601 luma, which FER-2013's grey images and OpenCV's conversion use.
GREY_WEIGHTS = (0.299, 0.587, 0.114)
# The same, as MATLAB's rgb2gray rounds it.
GREYS = {"bt601": GREY_WEIGHTS, "rgb2gray": (0.2989, 0.5870, 0.1140)}


@dataclass(frozen=True)
class CropGeometry:
    """The square around a face that is cut out, relative to its detection box.

    FER-2013's own framing would be a margin of 1.19: over 2,900 of its training images MediaPipe's short-range
    box is 0.84 of the image wide (median), and its centre lies 0.09 of the image below the middle. Networks that
    learnt from it read faces that are cut out tighter no worse, and see more of them (docs/models/log.md).

    Attributes:
        margin: side of the crop over side of the box.
        shift_up: how far the crop's centre lies above the box's, in box sides.
        align: turn the face so that its eyes lie level, where the detector gives landmarks.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    margin: float = 1.06
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
        channels: 1 for grey, 3 for RGB.
        geometry: the part of the frame that a crop shows.
        grey: the weights of red, green and blue in grey, of `GREYS`.
        equalize: spread each grey image's levels evenly (histogram equalisation).
        edges: add a plane with the image's edges (Canny), found after equalisation.
        scaling: image standardises each plane of each frame by its own mean and standard deviation, which takes
            out exposure and contrast, and turns a constant image into zeros; unit leaves values in [0, 1].
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    size: int = 48
    channels: int = 1
    geometry: CropGeometry = field(default_factory=CropGeometry)
    grey: Literal["bt601", "rgb2gray"] = "bt601"
    equalize: bool = False
    edges: bool = False
    scaling: Literal["image", "unit"] = "image"

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 1024:
            raise ModelError(f"input size must lie in [16, 1024] pixels, not {self.size}")
        if self.channels not in (1, 3):
            raise ModelError(f"channels must be 1 (grey) or 3 (RGB), not {self.channels}")
        if self.grey not in GREYS or self.scaling not in ("image", "unit"):
            raise ModelError(f"unknown grey {self.grey!r} or scaling {self.scaling!r}")
        if self.channels == 3 and (self.equalize or self.edges or self.grey != "bt601"):
            raise ModelError("equalize, edges and grey are for grey images: channels must be 1")

    @property
    def input_planes(self) -> int:
        """C of the network's input: the channels, and the edges if they are wanted."""
        return self.channels + self.edges

    def of_crops(self, faces: str) -> Preprocess:
        """As far as it decides what crops look like: models with equal ones can share a cache.

        Args:
            faces: how faces are found; with "none" pictures are taken whole, whatever the geometry.
        """
        geometry = CropGeometry() if faces == "none" else self.geometry
        return replace(self, geometry=geometry, equalize=False, edges=False, scaling="image")

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Network input from crops.

        Args:
            crops: (N, H, W, C) uint8, H = W = `size`, C = 3 (RGB) or 1 (grey).

        Returns:
            (N, `input_planes`, H, W) float32.
        """
        return self.scale(self.planes(crops))

    def planes(self, crops: torch.Tensor) -> torch.Tensor:
        """Planes of the crops: (N, H, W, C) uint8 to (N, `input_planes`, H, W) float32 in [0, 1]."""
        if crops.ndim != 4 or crops.shape[1:3] != (self.size, self.size) or crops.shape[3] not in (1, 3):
            wanted = f"(N, {self.size}, {self.size}, 1 or 3)"
            raise ValueError(f"crops must be {wanted}, not {tuple(crops.shape)}")
        planes = crops.permute(0, 3, 1, 2).float() / 255
        if self.channels == 3:
            return planes.expand(-1, 3, -1, -1)
        if planes.shape[1] == 3:
            weights = planes.new_tensor(GREYS[self.grey]).view(1, 3, 1, 1)
            planes = (planes * weights).sum(1, keepdim=True)
        if self.equalize:
            planes = equalized(planes)
        if not self.edges:
            return planes
        import torch

        from seqfer.edges import canny

        grey = (planes[:, 0] * 255).round().to(torch.uint8).cpu().numpy()
        return torch.cat([planes, torch.from_numpy(canny(grey)).to(planes)[:, None]], 1)

    def scale(self, planes: torch.Tensor) -> torch.Tensor:
        """Planes (N, C, H, W) in [0, 1] as the network wants them, in the same shape."""
        return standardised(planes) if self.scaling == "image" else planes


def standardised(planes: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit deviation per image and plane: (N, C, H, W) float to the same shape."""
    mean = planes.mean((2, 3), keepdim=True)
    deviation = planes.std((2, 3), keepdim=True, unbiased=False)
    # One grey level of 255 as the floor: a flat image stays flat instead of amplified noise.
    return (planes - mean) / deviation.clamp_min(1 / 255)


def equalized(planes: torch.Tensor) -> torch.Tensor:
    """Histogram equalisation of grey images, each by itself, as `cv2.equalizeHist` does it.

    The darkest level that occurs becomes 0, the brightest 1; a constant image stays as it is.

    Args:
        planes: (N, 1, H, W) float in [0, 1], read as 256 levels.
    """
    import torch  # not at the top: preparing crops needs no PyTorch

    levels = (planes.flatten(1) * 255).round().long()  # (N, H * W)
    counts = levels.new_zeros(len(levels), 256)
    counts.scatter_add_(1, levels, levels.new_ones(()).expand_as(levels))
    darkest = counts.gather(1, levels.min(1, keepdim=True).values)  # how many pixels have the lowest level
    above = levels.shape[1] - darkest
    table = ((counts.cumsum(1) - darkest) * (255 / above.clamp_min(1).float())).round()
    spread = table.gather(1, levels) / 255
    return torch.where(above > 0, spread, levels / 255).view_as(planes)
