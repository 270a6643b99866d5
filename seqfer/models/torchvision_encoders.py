"""torchvision's networks as frame encoders, from scratch or from ImageNet weights.

ImageNet weights come through torchvision's own weights API, which downloads them once into PyTorch's hub folder;
on a machine without a network the file can be put there by hand.
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torchvision import models

from seqfer.errors import ModelError, one_line

# The weights that torchvision itself recommends: IMAGENET1K_V2 where there is one.
IMAGENET_WEIGHTS = {
    "resnet18": models.ResNet18_Weights.DEFAULT,
    "resnet50": models.ResNet50_Weights.DEFAULT,
    "mobilenet_v2": models.MobileNet_V2_Weights.DEFAULT,
}
MOBILENET_STAGES = (0, 2, 4, 7, 14, 19)  # of its features; each stage halves the resolution


class TorchvisionEncoder(nn.Module):
    """ResNet-18, ResNet-50 or MobileNetV2 without their classifier, global average pooling at the end.

    Sources: He et al., CVPR 2016; Sandler et al., CVPR 2018.
    """

    def __init__(self, name: str, channels: int = 1) -> None:
        """
        Args:
            name: in `IMAGENET_WEIGHTS`.
            channels: 1 or 3; with one, the first convolution has a single input plane.
        """
        super().__init__()
        network = models.get_model(name, weights=None)
        if name == "mobilenet_v2":
            self.embedding_dim = int(network.last_channel)
            parts = [network.features[a:b] for a, b in pairwise(MOBILENET_STAGES)]
        else:
            self.embedding_dim = int(network.fc.in_features)
            stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
            parts = [stem, network.layer1, network.layer2, network.layer3, network.layer4]
        self.layers = nn.Sequential(*parts)
        if channels != 3:
            self._first()[0] = _of_channels(self._first()[0], channels)

    def stages(self) -> list[nn.Module]:
        return list(self.layers)

    def forward(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N, D)
        maps: Tensor = self.layers(images)
        return maps.mean((2, 3))

    def _first(self) -> Any:
        """What begins with the first convolution."""
        first: Any = self.layers[0]
        while not isinstance(first[0], nn.Conv2d):
            first = first[0]
        return first


def imagenet_state(name: str, planes: int) -> dict[str, Tensor]:
    """The weights of a `TorchvisionEncoder` as learnt from ImageNet.

    A single grey plane gets the sum of the first convolution's kernels over red, green and blue, and so answers
    as the whole network does to a grey picture. Of a second plane, which shows edges, nothing is known at first.

    Raises:
        ModelError: there are none of that name, or they are not here and cannot be downloaded.
    """
    if name not in IMAGENET_WEIGHTS:
        known = ", ".join(IMAGENET_WEIGHTS)
        raise ModelError(f"there are no ImageNet weights for encoder {name!r}; there are for: {known}")
    weights = IMAGENET_WEIGHTS[name]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(urlparse(weights.url).path).name
    try:
        # torch.hub announces a download, also one that then fails; which stream it takes depends on its version.
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            found = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        network = models.get_model(name, weights=None)
        network.load_state_dict(found)
    except OSError as error:
        reason = str(getattr(error, "reason", error))
        raise ModelError(
            f"the ImageNet weights of {name} cannot be downloaded ({reason}); put {file.name} into {folder}, "
            "or set start.weights to scratch"
        ) from error
    except Exception as error:  # an unpickler meets what is no pickle with errors of every kind
        reason = "".join(filter(str.isprintable, one_line(error)))[:100]
        raise ModelError(f"{file}: does not hold the ImageNet weights of {name} ({reason}); remove it") from error
    encoder = TorchvisionEncoder(name, 3)
    own = list(encoder.state_dict())
    # The classifier comes last in both networks, and everything before it stands in the same order.
    state = dict(zip(own, network.state_dict().values(), strict=False))
    first = own[0]
    if planes < 3:
        grey = state[first].sum(1, keepdim=True)
        state[first] = torch.cat([grey, torch.zeros_like(grey)], 1)[:, :planes]
    return state


def _of_channels(convolution: nn.Conv2d, channels: int) -> nn.Conv2d:
    """A new convolution like another one, for another number of input planes."""
    made = nn.Conv2d(
        channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
        bias=False,
    )
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made
