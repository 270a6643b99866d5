"""Clips made from stills: what a temporal head can learn where no labelled video is at hand.

A clip shows one still, or passes from one still to another of a different expression, while the camera, the
light and whatever moves in front of the face disturb it in ways that hang together over time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import OptionError
from seqfer.training.augmentation import Strength, draw, wander
from seqfer.training.disturbing import disturb

MOST_DRAWS = 50  # until nearly every set of labels has given another one
# Disturbed enough that single frames often mislead, as they do in video.
CLIP_STRENGTH = Strength(
    rotation_deg=15,
    shift=0.12,
    zoom=0.15,
    gamma=0.5,
    shade=0.5,
    blur=0.9,
    noise=0.12,
    occlusion=0.45,
    turn_deg=25,
    compression=0.5,
)


@dataclass(frozen=True)
class ClipStyle:
    """What clips are made like.

    Attributes:
        frame_rate: frames per second.
        changes: chance that a clip passes from its still to a second one; half of those go on to a third.
        fade_s: shortest and longest passage from one still to the next.
        strength: of the disturbances.
        calmest: the least share of them that a clip may have: each has its own, drawn evenly from there to 1. Who
            has seen only troubled clips takes frames that agree for more evidence than they are.
        undisturbed: chance that nothing disturbs a clip.
    """

    frame_rate: float = 25.0
    changes: float = 0.5
    fade_s: tuple[float, float] = (0.1, 0.5)
    strength: Strength = CLIP_STRENGTH
    calmest: float = 1.0
    undisturbed: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.changes <= 1 or not 0 < self.fade_s[0] <= self.fade_s[1]:
            raise OptionError("changes must lie in [0, 1], fade_s must be two increasing durations")
        if not 0 <= self.calmest <= 1 or not 0 <= self.undisturbed <= 1:
            raise OptionError("calmest and undisturbed must lie in [0, 1]")


@dataclass(frozen=True)
class Clips:
    """Clips of one length.

    Attributes:
        frames: (B, T, H, W) uint8.
        targets: (B, T, K) float, what is to be said of each frame: probabilities.
        pure: (B, T) bool, whether a frame shows one still alone.
        steady: (B,) bool, whether a clip shows the same still throughout.
    """

    frames: NDArray[np.uint8]
    targets: Tensor
    pure: Tensor
    steady: Tensor

    def __repr__(self) -> str:
        return f"Clips({self.frames.shape}, {int(self.steady.sum())} steady)"


def make_clips(
    stills: StillSet, chosen: Tensor, frames: int, answers: Tensor, style: ClipStyle, generator: torch.Generator
) -> Clips:
    """One clip for each chosen still.

    Args:
        stills: to choose from; the second and third still of a clip are drawn from all of them that show
            another expression than the one before.
        chosen: (B,) positions of each clip's first still.
        frames: T, the clips' length.
        answers: (N, K) float, what is to be said of each still: probabilities. While a clip passes from one still
            to another, it is the mixture.
        style: what the clips are made like.
        generator: of everything that is random.
    """
    count = len(chosen)
    weights = _passages(count, frames, style, generator)  # (B, T, 3)
    shown = torch.from_numpy(stills.labels)
    second = _of_another_expression(shown, chosen, generator)
    sources = torch.stack([chosen, second, _of_another_expression(shown, second, generator)], dim=1)  # (B, 3)
    images = torch.from_numpy(stills.images)[sources].float() / 255  # (B, 3, H, W)
    mixed = torch.einsum("bts,bshw->bthw", weights, images).flatten(0, 1)[:, None]  # (B * T, 1, H, W)
    noise = wander(frames, style.frame_rate, generator, count)
    if style.calmest < 1 or style.undisturbed:
        shares = style.calmest + (1 - style.calmest) * torch.rand(count, 1, 1, generator=generator)
        shares = shares * (torch.rand(count, 1, 1, generator=generator) >= style.undisturbed)
        noise = 0.5 + shares * (noise - 0.5)  # numbers around one half disturb nothing
    disturbed = disturb(mixed, draw(style.strength, noise.flatten(0, 1)), generator)
    pixels = (disturbed * 255).round().to(torch.uint8).reshape(count, frames, *images.shape[2:])
    targets = torch.einsum("bts,bsk->btk", weights, answers[sources])
    return Clips(pixels.numpy(), targets, weights.amax(2) == 1, weights[:, :, 0].amin(1) == 1)


def _of_another_expression(labels: Tensor, stills: Tensor, generator: torch.Generator) -> Tensor:
    """For each of some stills (B,) the position of a random one with another label; itself where there is none."""
    others = torch.randint(len(labels), stills.shape, generator=generator)
    for _ in range(MOST_DRAWS):
        same = labels[others] == labels[stills]
        if not bool(same.any()):
            return others
        again = torch.randint(len(labels), stills.shape, generator=generator)
        others = torch.where(same, again, others)
    return torch.where(labels[others] == labels[stills], stills, others)


def _passages(count: int, frames: int, style: ClipStyle, generator: torch.Generator) -> Tensor:
    """(B, T, 3) how much of each of three stills each frame shows; rows sum to 1."""
    low, high = style.fade_s
    times = torch.arange(frames) / style.frame_rate
    changes = torch.rand(count, generator=generator) < style.changes
    goes_on = torch.rand(count, generator=generator) < 0.5
    moments = torch.rand(count, 2, generator=generator).sort(dim=1).values * frames / style.frame_rate
    fades = low + (high - low) * torch.rand(count, 2, generator=generator)
    # A single frame cannot pass into another.
    never = torch.full((count,), float("inf"))
    first = torch.where(changes & (frames > 1), moments[:, 0], never)
    second = torch.where(changes & goes_on & (frames > 1), moments[:, 1], never)
    passed_first = ((times - first[:, None]) / fades[:, :1] + 0.5).clamp(0, 1)
    passed_second = ((times - second[:, None]) / fades[:, 1:] + 0.5).clamp(0, 1)
    passed_second = torch.minimum(passed_second, passed_first)
    return torch.stack([1 - passed_first, passed_first - passed_second, passed_second], dim=2)
