"""Frame encoders: one face image in, one embedding out.

`ENCODERS` is the registry. An encoder is a module with `embedding_dim: int` whose forward maps (N, C, H, W)
float to (N, D) float, D = `embedding_dim`; images do not influence each other in eval mode. Its `stages()` are
its parts from the input on, which hold all of its weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from seqfer.errors import ModelError


class CompactEncoder(nn.Module):
    """A narrow residual network for small grey faces, built for CPUs.

    A stem at full resolution, then four residual stages that each halve the resolution (at 48 px:
    24, 12, 6, 3), each ending in squeeze-and-excitation, then global average pooling. Most of the cost lies
    in plain 3x3 convolutions with channel counts that fill vector registers, which CPUs run several times
    faster per operation than depthwise ones.

    Sources: He et al., CVPR 2016 (residual blocks); He et al., CVPR 2019 (pooled shortcut); Hu et al.,
    CVPR 2018 (squeeze-and-excitation).
    """

    def __init__(
        self,
        channels: int = 1,
        stem_width: int = 32,
        stem_layers: int = 1,
        widths: tuple[int, ...] = (64, 128, 256, 256),
        blocks: tuple[int, ...] = (1, 1, 1, 1),
    ) -> None:
        """
        Args:
            channels: planes of the input.
            stem_width: channels of the stem.
            stem_layers: convolutions at full resolution, at least one.
            widths: channels of each stage; the last is the embedding's size.
            blocks: residual blocks of each stage.
        """
        super().__init__()
        if len(widths) != len(blocks):
            raise ModelError(f"widths and blocks must have equal length: {widths}, {blocks}")
        if min(blocks, default=1) < 1:
            raise ModelError(f"blocks must be at least 1 in each stage: {blocks}")
        if min(stem_width, stem_layers) < 1:
            raise ModelError(f"stem_width and stem_layers must be at least 1: {stem_width}, {stem_layers}")
        self.embedding_dim = widths[-1]
        self._ends = tuple(accumulate((0, 2 * stem_layers, *blocks)))
        layers: list[nn.Module] = []
        width_in = channels
        for _ in range(stem_layers):
            layers += [_conv_norm(width_in, stem_width, stride=1), nn.ReLU(inplace=True)]
            width_in = stem_width
        for width, count in zip(widths, blocks, strict=True):
            for index in range(count):
                layers.append(_ResidualBlock(width_in, width, stride=2 if index == 0 else 1))
                width_in = width
        self.layers = nn.Sequential(*layers)

    def stages(self) -> list[nn.Module]:
        return [self.layers[start:end] for start, end in pairwise(self._ends)]

    def forward(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N, D)
        maps: Tensor = self.layers(images)
        return maps.mean((2, 3))


class VGGEncoder(nn.Module):
    """A plain stack of 3x3 convolutions: stages of equal width, each ending in 2x2 max-pooling.

    As VGG (Simonyan & Zisserman, ICLR 2015), with batch norm (Ioffe & Szegedy, ICML 2015) and, unless its maps
    are flattened, global average pooling instead of its dense layers, which hold most of VGG's weights.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        convolutions: tuple[int, ...] = (2, 2, 2, 2),
        dropout: float = 0.0,
        flattened: int = 0,
        middle: int = 0,
    ) -> None:
        """
        Args:
            channels: planes of the input.
            widths: channels of each stage; the last is the embedding's size.
            convolutions: of each stage.
            dropout: share of whole maps dropped after each stage in training.
            flattened: side of the last maps, in pixels, if the embedding is all of their numbers instead of each
                map's mean; 0 for the mean.
            middle: side of the square in an image's middle that is read, in pixels; 0 for the whole image.
        """
        super().__init__()
        if len(widths) != len(convolutions):
            raise ModelError(f"widths and convolutions must have equal length: {widths}, {convolutions}")
        if min(convolutions, default=1) < 1:
            raise ModelError(f"convolutions must be at least 1 in each stage: {convolutions}")
        self._flattened = flattened > 0
        self.middle = middle
        self.embedding_dim = widths[-1] * max(1, flattened) ** 2
        stages: list[nn.Module] = []
        for width_in, width, count in zip((channels, *widths), widths, convolutions, strict=False):
            layers: list[nn.Module] = []
            for index in range(count):
                layers += [_conv_norm(width if index else width_in, width, stride=1), nn.ReLU(inplace=True)]
            stages.append(nn.Sequential(*layers, nn.MaxPool2d(2), nn.Dropout2d(dropout)))
        self.layers = nn.Sequential(*stages)

    def stages(self) -> list[nn.Module]:
        return list(self.layers)

    def forward(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N, D)
        maps: Tensor = self.layers(middle_of(images, self.middle))
        return maps.flatten(1) if self._flattened else maps.mean((2, 3))


def middle_of(images: Tensor, side: int) -> Tensor:
    """The middle (N, C, `side`, `side`) of images (N, C, H, W) that are no smaller; all of them if `side` is 0."""
    if not side:
        return images
    top, left = (images.shape[2] - side) // 2, (images.shape[3] - side) // 2
    return images.narrow(2, top, side).narrow(3, left, side)  # which, unlike slices, refuses what is not there


class Middle(nn.Module):
    """`middle_of` as a layer."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        return middle_of(images, self.side)


class _ResidualBlock(nn.Module):
    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _conv_norm(width_in, width_out, stride=stride),
            nn.ReLU(inplace=True),
            _conv_norm(width_out, width_out, stride=1),
            _SqueezeExcite(width_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width_in != width_out:
            # Average, then project: a strided 1x1 convolution would throw three of four pixels away.
            # Rounded up, as the strided convolution beside it does with odd sides.
            pool = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, _conv_norm(width_in, width_out, stride=1, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


class _SqueezeExcite(nn.Module):
    def __init__(self, width: int, reduction: int = 8) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(width, width // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(width // reduction, width),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x.mean((2, 3)))
        return x * gate[:, :, None, None]


def _conv_norm(width_in: int, width_out: int, stride: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(width_in, width_out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(width_out))


def _fernet(channels: int = 1, dropout: float = 0.25) -> nn.Module:
    from seqfer.models.paper_encoders import FERNetEncoder

    return FERNetEncoder(channels, dropout)


def _resnet50_flat(channels: int = 1, hidden: int = 512) -> nn.Module:
    from seqfer.models.paper_encoders import FlatResNet50Encoder

    return FlatResNet50Encoder(channels, hidden)


def _ensemble(
    channels: int = 1, members: Sequence[tuple[str, dict[str, Any]]] = (), mirrored: bool = False
) -> nn.Module:
    from seqfer.models.ensemble import EnsembleEncoder

    return EnsembleEncoder(channels, members, mirrored)


def _torchvision(name: str) -> Callable[..., nn.Module]:
    """A maker of one of torchvision's encoders; torchvision is imported when it is called, not before."""

    def make(channels: int = 1) -> nn.Module:
        from seqfer.models.torchvision_encoders import TorchvisionEncoder

        return TorchvisionEncoder(name, channels)

    return make


ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "compact": CompactEncoder,
    "vgg": VGGEncoder,
    "resnet18": _torchvision("resnet18"),
    "resnet50": _torchvision("resnet50"),
    "mobilenet_v2": _torchvision("mobilenet_v2"),
    "fernet": _fernet,
    "resnet50_flat": _resnet50_flat,
    "ensemble": _ensemble,
}


def check_names(
    what: str, maker: Callable[..., nn.Module], settings: dict[str, Any], given: Sequence[str]
) -> None:
    """Raise ModelError if a layer's settings have a name that it does not know.

    Args:
        what: has the settings.
        maker: takes them.
        settings: by name.
        given: arguments of the maker that are no settings.
    """
    known = [name for name in inspect.signature(maker).parameters if name not in given]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ModelError(f"{what} has no setting {unknown[0]!r}; known: {', '.join(known) or 'none'}")


def build_encoder(name: str, channels: int, settings: dict[str, Any]) -> nn.Module:
    """A new encoder of a registered kind.

    Args:
        name: in `ENCODERS`.
        channels: planes of its input.
        settings: its other arguments.

    Raises:
        ModelError: the name or a setting is unknown.
    """
    if name not in ENCODERS:
        raise ModelError(f"unknown encoder {name!r}; known: {', '.join(ENCODERS)}")
    check_names(f"encoder {name!r}", ENCODERS[name], settings, given=("channels",))
    try:
        return ENCODERS[name](channels=channels, **settings)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        # What a layer says of a size that it cannot have, in whichever way it says it.
        raise ModelError(f"encoder {name!r}: {error}") from error
