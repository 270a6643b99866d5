"""From clips to feature vectors: the last maps of a frozen network, flattened, the mean over a clip's frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx.experimental.optimization import fuse

from seqfer.classic.config import FeatureConfig
from seqfer.datasets.packed import PackedClip, PackedClips, draw_frames, frame_places
from seqfer.errors import ModelError, one_line
from seqfer.models.bundled import load_model
from seqfer.models.encoders import Middle, build_encoder
from seqfer.models.norms import fit_norms
from seqfer.preprocess import Preprocess

FRAMES_AT_ONCE = 128
NORM_FRAMES = 2048  # by which the norms of a random network are fitted

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FrozenEncoder:
    """A network that learns no more, and how it reads pictures.

    Attributes:
        name: in `seqfer.models.encoders.ENCODERS`.
        settings: its arguments beyond `channels`.
        preprocess: from face crop to network input.
        origin: of its weights: "imagenet", "scratch", or the SHA-256 of the model that they come from.
        network: in eval mode, float32, on the CPU.
    """

    name: str
    settings: dict[str, Any]
    preprocess: Preprocess
    origin: str
    network: nn.Module

    def __repr__(self) -> str:
        return f"FrozenEncoder({self.name!r}, {self.origin[:12]})"

    @property
    def maps(self) -> nn.Module:
        """What makes the network's last maps (N, C, h, w) of its input."""
        layers = getattr(self.network, "layers", None)
        if not isinstance(layers, nn.Module):
            raise ModelError(f"encoder {self.name!r} has no maps to make features of; choose another")
        side = getattr(self.network, "middle", 0)
        return nn.Sequential(Middle(side), layers) if side else layers


def open_encoder(config: FeatureConfig, seed: int) -> FrozenEncoder:
    """The network that settings ask for; a random one still needs `with_fitted_norms`.

    Raises:
        ModelError: its weights are not there, its settings are unknown, or it cannot read pictures of that size.
    """
    if config.weights in ("imagenet", "scratch"):
        torch.manual_seed(seed)
        network = build_encoder(config.encoder, config.preprocess.input_planes, config.encoder_settings)
        if config.weights == "imagenet":
            from seqfer.models.torchvision_encoders import imagenet_state

            network.load_state_dict(imagenet_state(config.encoder, config.channels))
        encoder = FrozenEncoder(
            config.encoder, config.encoder_settings, config.preprocess, config.weights, network.eval()
        )
    else:
        given = load_model(config.weights)
        of = given.model.architecture
        encoder = FrozenEncoder(of.encoder, of.encoder_settings, of.preprocess, given.sha256, given.model.encoder)
    feature_count(encoder)
    return encoder


@torch.inference_mode()
def feature_count(encoder: FrozenEncoder) -> int:
    """How many features a frame has.

    Raises:
        ModelError: the network has no maps, or cannot read pictures of its size.
    """
    preprocess = encoder.preprocess
    frame = torch.zeros(1, preprocess.input_planes, preprocess.size, preprocess.size)
    try:
        return int(encoder.maps(frame).flatten(1).shape[1])
    except RuntimeError as error:
        reason = one_line(error)
        raise ModelError(f"encoder {encoder.name!r} cannot read {preprocess.size} pixels ({reason})") from error


@torch.inference_mode()
def with_fitted_norms(
    encoder: FrozenEncoder, packed: PackedClips, clips: Sequence[PackedClip], seed: int
) -> FrozenEncoder:
    """A random network whose batch norms standardise its maps over some frames of the given clips.

    With the norms that it begins with, a deep network's maps fade to nothing. No weight changes, no label counts.
    """
    network = build_encoder(encoder.name, encoder.preprocess.input_planes, encoder.settings)
    network.load_state_dict(encoder.network.state_dict())
    fitted = replace(encoder, network=network.eval())
    chosen = np.sort(draw_frames(clips, NORM_FRAMES, seed))
    batches = np.array_split(chosen, -(-len(chosen) // FRAMES_AT_ONCE))
    fit_norms(fitted.maps, (encoder.preprocess(torch.from_numpy(packed.frames[batch])) for batch in batches))
    return fitted


@torch.inference_mode()
def read_features(
    encoder: FrozenEncoder,
    packed: PackedClips,
    clips: Sequence[PackedClip],
    device: torch.device,
    progress: Progress = lambda done, total: None,
) -> NDArray[np.float32]:
    """Feature vectors of clips.

    Args:
        encoder: the network.
        packed: the cache that holds the clips, prepared for the network.
        clips: of the cache, at least one.
        device: where to compute.
        progress: called with the number of frames read so far, and of all.

    Returns:
        (N, D) float32: for each clip the mean of its frames' maps, flattened.
    """
    maps = fuse(encoder.maps).to(memory_format=torch.channels_last).to(device)
    lengths = np.array([clip.length for clip in clips])
    owners = np.repeat(np.arange(len(clips)), lengths)
    places = frame_places(clips)
    features = np.zeros((len(clips), feature_count(encoder)), np.float32)
    for first in range(0, len(places), FRAMES_AT_ONCE):
        batch = slice(first, first + FRAMES_AT_ONCE)
        images = encoder.preprocess(torch.from_numpy(packed.frames[places[batch]]).to(device))
        found = maps(images.to(memory_format=torch.channels_last)).flatten(1).cpu().numpy()
        np.add.at(features, owners[batch], found)
        progress(min(first + FRAMES_AT_ONCE, len(places)), len(places))
    features /= lengths[:, None]
    return features
