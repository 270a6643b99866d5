"""Small models with random weights, in every part of which something happens."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.preprocess import Preprocess

SMALL = {"compact": {"widths": (8, 12, 16, 16)}, "vgg": {"widths": (8, 12, 16, 16)}}


def model_of(
    encoder: str = "compact", size: int = 48, channels: int = 1, head: str = "bilstm"
) -> SequenceClassifier:
    """A model of some encoder, its norms' statistics and its head's context drawn as its other weights are."""
    torch.manual_seed(0)
    settings: dict[str, Any] = SMALL.get(encoder, {})
    model = SequenceClassifier(
        Architecture(encoder, settings, head=head, preprocess=Preprocess(size=size, channels=channels))
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    if head == "bilstm":
        nn.init.normal_(model.head.context.weight)  # type: ignore[union-attr, arg-type]
    return model.eval()
