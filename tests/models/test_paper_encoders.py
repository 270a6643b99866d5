"""The networks of single papers, row by row."""

from __future__ import annotations

import torch
from torch import nn

from seqfer.labels import FER7, LabelSet
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.paper_encoders import FERNetEncoder, FlatResNet50Encoder
from seqfer.preprocess import Preprocess

# The table of the paper on FER-2013: what each layer makes, height x width x channels, and its parameters.
FERNET_ROWS = [
    ((46, 46, 32), 320),
    ((44, 44, 64), 18_496),
    ((22, 22, 64), 0),
    ((22, 22, 64), 0),
    ((20, 20, 64), 36_928),
    ((18, 18, 64), 36_928),
    ((18, 18, 128), 73_856),
    ((8, 8, 128), 0),
    ((6, 6, 128), 147_584),
    ((4, 4, 256), 295_168),
    ((2, 2, 256), 0),
    ((1, 1, 256), 0),
    ((1, 1, 256), 0),
    ((256,), 0),
    ((1024,), 263_168),
]


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_every_row_of_the_papers_table() -> None:
    shown, rows = torch.zeros(1, 1, 48, 48), []
    for stage in FERNetEncoder().stages():
        for layer in stage.children():
            shown = layer(shown)
            if not isinstance(layer, nn.ReLU):
                channels, *sides = shown.shape[1:]
                rows.append(((*sides, channels), parameters(layer)))
    assert rows == FERNET_ROWS


def test_879_623_parameters() -> None:
    preprocess = Preprocess(48, 1, scaling="unit")
    model = SequenceClassifier(Architecture("fernet", head="mean", labels=FER7, preprocess=preprocess))
    assert parameters(model) == 879_623


def test_8192_numbers_behind_resnet_50() -> None:
    encoder = FlatResNet50Encoder(channels=1).eval()
    with torch.inference_mode():
        maps = encoder.network.layers(torch.zeros(1, 1, 112, 112))
        assert maps.shape == (1, 2048, 4, 4)
        assert encoder.flatten(maps).shape == (1, 8192)
    six = LabelSet(("angry", "disgust", "fear", "happy", "sad", "surprise"))
    settings = {"hidden": 512}
    architecture = Architecture("resnet50_flat", settings, "mean", {"dropout": 0.25}, six, Preprocess(112))
    model = SequenceClassifier(architecture)
    # torchvision's ResNet-50 without its classifier, one input plane instead of three, and our two layers.
    assert parameters(model) == (25_557_032 - 2_049_000 - 2 * 64 * 49) + (8192 * 512 + 512) + (512 * 6 + 6)
