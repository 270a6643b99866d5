"""Batch norms that take their statistics from given images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def fit_norms(network: nn.Module, batches: Iterable[Tensor], kept: Sequence[nn.Module] = ()) -> None:
    """Let a network's batch norms standardise its maps over some images, in place; no weight changes.

    Args:
        network: is in eval mode afterwards.
        batches: images (N, C, H, W) each; statistics are the means over batches, so each is to be as mixed as all.
        kept: parts of the network whose norms keep what they have.
    """
    network.eval()
    left = {id(module) for part in kept for module in part.modules()}
    for module in network.modules():
        if isinstance(module, _BatchNorm) and id(module) not in left:
            module.train().reset_running_stats()
            module.momentum = None  # the mean over all batches
    for images in batches:
        network(images)
    network.eval()
