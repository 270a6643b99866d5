"""Disturbances of face images: where the face sits, how it is lit, how well it is seen.

A disturbance is drawn as one vector of numbers per image (`Disturbance`), and then applied to all images at once
(`seqfer.training.disturbing`). Stills draw each image's numbers independently; the frames of a clip get numbers
that wander smoothly, as a moving head, changing light or a passing hand does (`wander`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from seqfer.errors import OptionError


@dataclass(frozen=True)
class Strength:
    """How far a disturbance may go, one draw for all frames of a clip; 0 switches one off.

    Attributes:
        rotation_deg: largest turn in the image plane, either way.
        shift: largest shift along each axis, as a share of the image's side.
        zoom: largest enlargement or reduction, as a share of the face's size.
        stretch: largest change of width over height, as a share.
        gamma: largest change of the tone curve's exponent, in factors of e.
        shade: largest difference of light across the image, as a share of white.
        blur: largest loss of resolution; 1 leaves an eighth of the image's resolution.
        noise: largest deviation of sensor noise, as a share of white.
        occlusion: chance that a rectangle covers a part of the face.
        flip: chance of mirroring left and right.
        turn_deg: largest turn of the head, to the side and up or down.
        compression: largest loss by compression, as JPEG's; 1 is about its quality 6 of 100.
    """

    rotation_deg: float = 15.0
    shift: float = 0.12
    zoom: float = 0.15
    stretch: float = 0.08
    gamma: float = 0.35
    shade: float = 0.25
    blur: float = 0.6
    noise: float = 0.06
    occlusion: float = 0.35
    flip: float = 0.5
    turn_deg: float = 0.0
    compression: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise OptionError(f"disturbance {name} must not be negative: {value}")
            if name in ("blur", "occlusion", "flip", "compression") and value > 1:
                raise OptionError(f"disturbance {name} must lie in [0, 1], not {value}")
        if self.turn_deg >= 90:
            raise OptionError(f"disturbance turn_deg must be less than 90, not {self.turn_deg}")


NOTHING = Strength(**dict.fromkeys(Strength.__dataclass_fields__, 0.0))


@dataclass(frozen=True)
class Disturbance:
    """One disturbance per image; every field is (N,) float, 0 leaves the image as it is."""

    rotation: Tensor  # radians
    shift_x: Tensor  # shares of the side
    shift_y: Tensor
    zoom: Tensor  # natural log of the enlargement
    stretch: Tensor  # natural log of width over height
    gamma: Tensor  # natural log of the exponent
    shade_x: Tensor  # light added from edge to edge, shares of white
    shade_y: Tensor
    blur: Tensor  # in [0, 1]
    noise: Tensor  # deviation, share of white
    occluder_x: Tensor  # centre of the covering rectangle, shares of the side
    occluder_y: Tensor
    occluder_width: Tensor  # shares of the side; 0 covers nothing
    occluder_height: Tensor
    occluder_grey: Tensor  # in [0, 1]
    flip: Tensor  # 1 mirrors
    yaw: Tensor  # radians
    pitch: Tensor
    compression: Tensor  # in [0, 1]

    def __len__(self) -> int:
        return len(self.rotation)

    def __repr__(self) -> str:
        return f"Disturbance(n={len(self)})"


class Drawn(IntEnum):
    """What each of the random numbers for an image decides; runs that go on need them in this order."""

    ROTATION = 0
    SHIFT_X = 1
    SHIFT_Y = 2
    ZOOM = 3
    STRETCH = 4
    GAMMA = 5
    SHADE_X = 6
    SHADE_Y = 7
    BLUR = 8
    NOISE = 9
    OCCLUDER_X = 10
    OCCLUDER_Y = 11
    OCCLUDER_WIDTH = 12
    OCCLUDED = 13  # whether anything is covered at all
    OCCLUDER_HEIGHT = 14
    OCCLUDER_GREY = 15
    FLIP = 16
    YAW = 17
    PITCH = 18
    COMPRESSION = 19


def draw(strength: Strength, uniform: Tensor) -> Disturbance:
    """Disturbances from uniform random numbers.

    Args:
        strength: the limits.
        uniform: (N, len(Drawn)) in [0, 1]; independent rows for stills, wandering ones for a clip (`wander`).
    """
    signed = uniform.T * 2 - 1  # (len(Drawn), N) in [-1, 1]
    share = uniform.T
    covered = (share[Drawn.OCCLUDED] < strength.occlusion).float()
    # Half of all images keep their sharpness, the others lose some of it.
    blurred = (share[Drawn.BLUR] * 2 - 1).clamp_min(0)
    noisy = (share[Drawn.NOISE] * 2 - 1).clamp_min(0)
    compressed = (share[Drawn.COMPRESSION] * 2 - 1).clamp_min(0)
    return Disturbance(
        rotation=signed[Drawn.ROTATION] * strength.rotation_deg * torch.pi / 180,
        shift_x=signed[Drawn.SHIFT_X] * strength.shift,
        shift_y=signed[Drawn.SHIFT_Y] * strength.shift,
        zoom=signed[Drawn.ZOOM] * strength.zoom,
        stretch=signed[Drawn.STRETCH] * strength.stretch,
        gamma=signed[Drawn.GAMMA] * strength.gamma,
        shade_x=signed[Drawn.SHADE_X] * strength.shade,
        shade_y=signed[Drawn.SHADE_Y] * strength.shade,
        blur=blurred * strength.blur,
        noise=noisy * strength.noise,
        occluder_x=share[Drawn.OCCLUDER_X],
        occluder_y=share[Drawn.OCCLUDER_Y],
        occluder_width=covered * (0.15 + 0.35 * share[Drawn.OCCLUDER_WIDTH]),
        occluder_height=covered * (0.15 + 0.35 * share[Drawn.OCCLUDER_HEIGHT]),
        occluder_grey=share[Drawn.OCCLUDER_GREY],
        flip=(share[Drawn.FLIP] < strength.flip).float(),
        yaw=signed[Drawn.YAW] * strength.turn_deg * torch.pi / 180,
        pitch=signed[Drawn.PITCH] * strength.turn_deg * torch.pi / 180,
        compression=compressed * strength.compression,
    )


def still_noise(count: int, generator: torch.Generator) -> Tensor:
    """(`count`, len(Drawn)) independent uniform numbers."""
    return torch.rand(count, len(Drawn), generator=generator)


def wander(frames: int, frame_rate: float, generator: torch.Generator, clips: int = 1) -> Tensor:
    """(`clips`, `frames`, len(Drawn)) uniform numbers, each a smooth path in time, independent of each other.

    Each path is an Ornstein-Uhlenbeck process, mapped to uniform by the normal distribution: a slow part (it
    forgets within 1 to 4 s) that every clip has, and a fast one (0.1 to 0.4 s).  Mirroring stays the same
    throughout a clip.
    """
    normal = _normal_paths(clips, frames, frame_rate, (1.0, 4.0), generator) * 0.8
    normal += _normal_paths(clips, frames, frame_rate, (0.1, 0.4), generator) * 0.6
    uniform: Tensor = torch.special.ndtr(normal)
    uniform[:, :, Drawn.FLIP] = uniform[:, :1, Drawn.FLIP]
    return uniform


def _normal_paths(
    clips: int, frames: int, frame_rate: float, memory_s: tuple[float, float], generator: torch.Generator
) -> Tensor:
    low, high = memory_s
    memory = low * (high / low) ** torch.rand(clips, 1, generator=generator)
    keep = torch.exp(-1 / (memory * frame_rate))  # (clips, 1)
    steps = torch.randn(frames, clips, len(Drawn), generator=generator)
    path = [steps[0]]
    for step in steps[1:]:
        path.append(keep * path[-1] + (1 - keep**2).sqrt() * step)
    return torch.stack(path, 1)


def repeated(disturbance: Disturbance, lengths: Tensor, device: torch.device) -> Disturbance:
    """The disturbances of B clips as those of their frames: each clip moves as one.

    Args:
        disturbance: one per clip.
        lengths: (B,) frames of each clip.
        device: where the result is to lie.
    """
    values = vars(disturbance).items()
    return Disturbance(**{name: value.repeat_interleave(lengths).to(device) for name, value in values})
