"""Images as they look under their disturbances: moved, turned, relit, covered, blurred, noisy, compressed.

Everything is a tensor operation on planes (N, C, H, W) in [0, 1] and runs on any device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqfer.training.augmentation import Disturbance

EDGE = 0.75  # sine of the angle, seen from a head's middle, at which a picture's edge lies on it
MOST_COMPRESSION = 8.0  # how many times as coarse as at JPEG's quality 50
# JPEG's steps for brightness at quality 50, by frequency (ITU-T T.81, Table K.1).
JPEG_STEPS = (
    *(16.0, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)


def disturb(planes: Tensor, disturbance: Disturbance, generator: torch.Generator) -> Tensor:
    """The images as they look under their disturbances.

    Args:
        planes: (N, C, H, W) float in [0, 1].
        disturbance: one per image, on the same device.
        generator: for the noise, on the same device.
    """
    planes = _move(planes, disturbance)
    planes = _light(planes, disturbance)
    planes = _cover(planes, disturbance)
    planes = _blur(planes, disturbance)
    noise = torch.randn(planes.shape, generator=generator, device=planes.device)
    planes = (planes + noise * _per_image(disturbance.noise)).clamp(0, 1)
    return _compress(planes, disturbance)


def _move(planes: Tensor, d: Disturbance) -> Tensor:
    # The grid asks where each output pixel comes from, so the transform is the inverse: enlarging divides.
    scale_x = (torch.exp(-d.zoom - d.stretch / 2) * (1 - 2 * d.flip))[:, None, None]
    scale_y = torch.exp(-d.zoom + d.stretch / 2)[:, None, None]
    cos, sin = torch.cos(d.rotation)[:, None, None], torch.sin(d.rotation)[:, None, None]
    # As F.affine_grid, whose products of small matrices take four times as long.
    height, width = planes.shape[2:]
    x = ((2 * torch.arange(width, device=planes.device) + 1) / width - 1)[None, None]
    y = ((2 * torch.arange(height, device=planes.device) + 1) / height - 1)[None, :, None]
    from_x = scale_x * cos * x - (scale_x * sin * y + 2 * d.shift_x[:, None, None])
    from_y = scale_y * sin * x + (scale_y * cos * y - 2 * d.shift_y[:, None, None])
    grid = _turned(torch.stack([from_x, from_y], 3), d)
    if planes.device.type == "mps":  # which knows no border before PyTorch 2.13
        return F.grid_sample(planes, _within_border(grid, *planes.shape[2:]), align_corners=False)
    return F.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def _within_border(grid: Tensor, height: int, width: int) -> Tensor:
    """Points (N, H, W, 2) of a picture, none beyond the middles of the outermost pixels."""
    edge = 1 - 1 / torch.tensor([width, height], device=grid.device, dtype=grid.dtype)
    return grid.maximum(-edge).minimum(edge)


def _turned(grid: Tensor, d: Disturbance) -> Tensor:
    """Where each point (N, H, W, 2) of a picture lies on a head that turns, as a cylinder would on each axis."""
    angles = torch.stack([d.yaw, d.pitch], 1)[:, None, None]
    if not bool(angles.any()):
        return grid
    turned = torch.asin((grid * EDGE).clamp(-1, 1)) + angles
    # What is in the middle stays there, as a crop follows its face.
    return (torch.sin(turned.clamp(-torch.pi / 2, torch.pi / 2)) - torch.sin(angles)) / EDGE


def _light(planes: Tensor, d: Disturbance) -> Tensor:
    height, width = planes.shape[2:]
    across = torch.linspace(-0.5, 0.5, width, device=planes.device)[None, None, None]
    down = torch.linspace(-0.5, 0.5, height, device=planes.device)[None, None, :, None]
    toned = planes.clamp(1e-4, 1) ** torch.exp(_per_image(d.gamma))
    return (toned + across * _per_image(d.shade_x) + down * _per_image(d.shade_y)).clamp(0, 1)


def _cover(planes: Tensor, d: Disturbance) -> Tensor:
    height, width = planes.shape[2:]
    x = (torch.arange(width, device=planes.device) + 0.5)[None, None, None] / width
    y = (torch.arange(height, device=planes.device) + 0.5)[None, None, :, None] / height
    inside_x = (x - _per_image(d.occluder_x)).abs() < _per_image(d.occluder_width) / 2
    inside_y = (y - _per_image(d.occluder_y)).abs() < _per_image(d.occluder_height) / 2
    return torch.where(inside_x & inside_y, _per_image(d.occluder_grey), planes)


def _blur(planes: Tensor, d: Disturbance) -> Tensor:
    # Between the image and its copies at 1/2, 1/4 and 1/8 of the resolution, linearly.
    level = _per_image(d.blur) * 3
    result, coarse = planes, planes
    for step in range(3):
        if not bool((level > step).any()):
            break
        if min(coarse.shape[2:]) < 2:
            break
        coarse = F.avg_pool2d(coarse, 2)
        back = F.interpolate(coarse, planes.shape[2:], mode="bilinear", align_corners=False)
        result = torch.lerp(result, back, (level - step).clamp(0, 1))
    return result


def _compress(planes: Tensor, d: Disturbance) -> Tensor:
    """What is left if cosine coefficients of blocks of 8 x 8 pixels are rounded (ITU-T T.81, Annex K)."""
    if not bool(d.compression.any()):
        return planes
    height, width = planes.shape[2:]
    filled = F.pad(planes, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = filled.unfold(2, 8, 8).unfold(3, 8, 8)  # (N, C, rows, columns, 8, 8)
    cosines = _cosines().to(planes)
    # Steps too small to be seen leave alone what is not to be compressed.
    level = d.compression.clamp_min(1e-4)[:, None, None, None, None, None]
    steps = (torch.tensor(JPEG_STEPS).reshape(8, 8).to(planes) / 255 * MOST_COMPRESSION * level).clamp_max(1)
    kept = (cosines @ blocks @ cosines.T / steps).round() * steps
    back = (cosines.T @ kept @ cosines).transpose(3, 4).reshape(filled.shape)
    return torch.where(_per_image(d.compression) > 0, back[:, :, :height, :width].clamp(0, 1), planes)


def _cosines() -> Tensor:
    """(8, 8) rows of the orthonormal cosine transform."""
    k = torch.arange(8.0)
    rows = torch.cos(torch.pi / 8 * k[:, None] * (k + 0.5)) / 2
    rows[0] /= 2**0.5
    return rows


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]
