"""Encoders made ready to read: batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy

from torch import nn
from torch.fx.experimental.optimization import fuse

from seqfer.models.ensemble import EnsembleEncoder


def folded(encoder: nn.Module) -> nn.Module:
    """A copy of an encoder, in eval mode, that reads the same without batch norms."""
    encoder = copy.deepcopy(encoder).eval()
    if not isinstance(encoder, EnsembleEncoder):
        return fuse(encoder)
    # Each by itself: one that reads every image twice would have its norms folded in twice.
    encoder.members = nn.ModuleList(fuse(member) for member in encoder.members)
    return encoder
