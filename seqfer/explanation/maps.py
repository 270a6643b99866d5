"""Maps of a face crop: to which of its pixels a model's reading is sensitive.

What is explained is the logit of one expression for one frame alone, as a clip of that frame (T = 1) gives it;
what a temporal head makes of the frames around it has no part in it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import LayerGradCam, Saliency  # type: ignore[import-untyped]
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.modules.batchnorm import _BatchNorm

from seqfer.errors import ModelError, OptionError
from seqfer.labels import LabelSet
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.encoders import middle_of
from seqfer.models.heads import SequenceOutput
from seqfer.models.inference import choose_device

# Goes with every picture of a map: what it shows, and what it does not.
WHAT_MAPS_SAY = "Maps show where the classifier's reading is sensitive, not where a feeling shows."

METHODS = ("saliency", "gradcam")
CROPS_AT_ONCE = 16  # larger batches are no faster on a CPU; gradients hold every layer's output in memory
BEHIND_CONVOLUTION = (_BatchNorm, nn.ReLU, nn.ReLU6)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps of N crops, each for one expression.

    Attributes:
        labels: the K expressions.
        probabilities: (N, K) float, of each crop's frame alone; rows sum to 1.
        targets: (N,) int, which expression each crop's maps are for.
        maps: by method, (N, S, S) float in [0, 1], each scaled to its own maximum; zeros where nothing speaks for
            the expression.
    """

    labels: LabelSet
    probabilities: NDArray[np.float32]
    targets: NDArray[np.int64]
    maps: dict[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        count, labels = self.probabilities.shape
        if labels != len(self.labels) or self.targets.shape != (count,):
            raise ValueError(f"{len(self.labels)} labels and {len(self.targets)} targets do not fit {count} crops")
        if any(len(maps) != count for maps in self.maps.values()):
            raise ValueError(f"maps must be of the same {count} crops")

    def caption_of(self, row: int) -> str:
        """A crop's expression and its probability, as "happy 0.98"."""
        target = self.targets[row]
        return f"{self.label_of(row)} {self.probabilities[row, target]:.2f}"

    def label_of(self, row: int) -> str:
        """The expression that a crop's maps are for."""
        return self.labels.names[int(self.targets[row])]


class Explainer:
    """Explains a model's readings of face crops, each read alone.

    Attributes:
        methods: the maps that it makes.
        architecture: the model's.
        cells: height and width of the maps that Grad-CAM weighs, which are as fine as its own can be.
    """

    def __init__(
        self,
        model: SequenceClassifier,
        device: torch.device | None = None,
        methods: Sequence[str] = METHODS,
        label: str | None = None,
    ) -> None:
        """
        Args:
            model: in any mode; read in eval mode and float32, and left as it was.
            device: where to compute; `choose_device()` if not given.
            methods: of `METHODS`.
            label: the expression that all maps are for; each crop's leading one if not given.

        Raises:
            OptionError: a method or the label is unknown.
            ModelError: Grad-CAM has no maps of this model to weigh.
        """
        for method in methods:
            if method not in METHODS:
                raise OptionError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
        self.architecture = model.architecture
        self.methods = tuple(methods)
        self._target = None if label is None else model.architecture.labels.index(label)
        self._device = device or choose_device()
        model = copy.deepcopy(model).eval().float().requires_grad_(False).to(self._device)
        self._encoder, self._head = model.encoder, model.head
        self._layers = last_maps(self._encoder) if "gradcam" in methods else {}
        self.cells = self._cells()

    def explain(self, crops: NDArray[np.uint8]) -> Explanation:
        """Maps of face crops.

        Args:
            crops: (N, S, S, C) uint8, RGB or grey, as `Preprocess` takes them; N >= 1.
        """
        parts = [self._explain(crops[i : i + CROPS_AT_ONCE]) for i in range(0, len(crops), CROPS_AT_ONCE)]
        return Explanation(
            self.architecture.labels,
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.targets for part in parts]),
            {method: np.concatenate([part.maps[method] for part in parts]) for method in self.methods},
        )

    def seen(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Face crops as the network gets them, but for their scaling: (N, S, S, C) to (N, S, S, 3)."""
        preprocess = self.architecture.preprocess
        planes = preprocess.planes(torch.from_numpy(crops))[:, : preprocess.channels]
        images: NDArray[np.uint8] = (planes.expand(-1, 3, -1, -1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return images

    def _explain(self, crops: NDArray[np.uint8]) -> Explanation:
        images = self.architecture.preprocess(torch.from_numpy(crops).to(self._device))
        with torch.no_grad():
            probabilities = self._logits(images).softmax(1)
        targets = probabilities.argmax(1)
        if self._target is not None:
            targets = torch.full_like(targets, self._target)
        makers = {"saliency": self._saliency, "gradcam": self._gradcam}
        maps = {method: _scaled(makers[method](images, targets)) for method in self.methods}
        return Explanation(self.architecture.labels, probabilities.cpu().numpy(), targets.cpu().numpy(), maps)

    def _logits(self, images: Tensor) -> Tensor:
        """(N, C, S, S) to (N, K)."""
        clips = self._encoder(images)[:, None]
        # cuDNN has no gradient of a recurrent layer in eval mode.
        with torch.backends.cudnn.flags(enabled=False):
            output: SequenceOutput = self._head(clips, torch.ones(len(clips), dtype=torch.int64))
        return output.frame_logits[:, 0]

    def _saliency(self, images: Tensor, targets: Tensor) -> Tensor:
        """Simonyan et al., ICLR workshop 2014: the logit's gradient, its largest magnitude over the planes."""
        gradients: Tensor = Saliency(self._logits).attribute(images.detach().requires_grad_(), targets)
        return gradients.amax(1)

    def _gradcam(self, images: Tensor, targets: Tensor) -> Tensor:
        """Selvaraju et al., ICCV 2017; where several networks add up to one reading, so do their maps.

        Grad-CAM weighs a map by the mean gradient over its cells. Taken times their number, finer maps, whose
        cells each do less, count as much as coarser ones.
        """
        total = torch.zeros_like(images[:, :1])
        for layer, middle in self._layers.items():
            weighed: Tensor = LayerGradCam(self._logits, layer).attribute(images, targets)
            weighed = weighed * weighed.shape[2:].numel()
            seen = middle_of(total, middle)
            seen += interpolate(weighed, seen.shape[2:], mode="bilinear", align_corners=False)
        return total.relu()[:, 0]

    def _cells(self) -> list[tuple[int, int]]:
        """Height and width of the maps that Grad-CAM weighs.

        Raises:
            ModelError: one of them is a single pixel.
        """
        preprocess = self.architecture.preprocess
        cells: dict[nn.Module, tuple[int, int]] = {}  # a layer may read more than once
        hooks = [
            layer.register_forward_hook(lambda layer, given, maps: cells.update({layer: tuple(maps.shape[2:])}))
            for layer in self._layers
        ]
        with torch.no_grad():
            blank = torch.zeros(1, preprocess.size, preprocess.size, 1, dtype=torch.uint8)
            self._encoder(preprocess(blank).to(self._device))
        for hook in hooks:
            hook.remove()
        if (1, 1) in cells.values():
            raise ModelError(
                f"the last maps of {self.architecture.encoder} are single pixels at {preprocess.size} px, "
                "in which Grad-CAM sees no places; use saliency"
            )
        return list(cells.values())


def last_maps(encoder: nn.Module) -> dict[nn.Module, int]:
    """The layers whose output Grad-CAM weighs: of each network in an encoder the last convolutional one.

    To each belongs the side of the middle of an image that its network reads, in pixels, 0 if it reads all of it.

    It is the last module with convolutions among the encoder's `stages()`, or the norm or activation right behind
    it: pooling and dense layers, which may follow, keep fewer places apart or none. Stages that have stages
    themselves, as the members of an ensemble, count each for itself.

    Raises:
        ModelError: there are no convolutions.
    """
    stages: list[nn.Module] = encoder.stages()  # type: ignore[operator]
    members = [stage for stage in stages if hasattr(stage, "stages")]
    if members:
        return {layer: middle for member in members for layer, middle in last_maps(member).items()}
    modules = [module for stage in stages for module in _parts(stage)]
    last = None
    for position, module in enumerate(modules):
        convolves = any(isinstance(part, nn.Conv2d) for part in module.modules())
        follows = isinstance(module, BEHIND_CONVOLUTION) and last == position - 1
        if convolves or follows:
            last = position
    if last is None:
        raise ModelError("Grad-CAM needs a convolutional encoder; use saliency")
    return {modules[last]: getattr(encoder, "middle", 0)}


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """A module's parts that are called one after the other; those of a block with branches stay together."""
    if isinstance(module, nn.Sequential):
        for part in module:
            yield from _parts(part)
    else:
        yield module


def _scaled(maps: Tensor) -> NDArray[np.float32]:
    """(N, S, S) non-negative, each divided by its maximum."""
    highest = maps.amax((1, 2), keepdim=True)
    scaled: NDArray[np.float32] = torch.where(highest > 0, maps / highest, 0.0).detach().cpu().numpy()
    return scaled
