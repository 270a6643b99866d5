"""The contract of every encoder."""

from __future__ import annotations

import pytest
import torch

from seqfer.errors import ModelError
from seqfer.models.encoders import ENCODERS, build_encoder


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ENCODERS)
def test_maps_images_to_embeddings_one_by_one(name: str, channels: int) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(name, channels, {}).eval()
    images = torch.randn(5, channels, 48, 48)
    with torch.inference_mode():
        together = encoder(images)
        alone = torch.cat([encoder(image[None]) for image in images])
    assert together.shape == (5, encoder.embedding_dim)
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_learns(name: str) -> None:
    encoder = build_encoder(name, 1, {}).train()
    encoder(torch.randn(4, 1, 48, 48)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(ModelError, match="unknown encoder 'vgg19'; known: compact"):
        build_encoder("vgg19", 1, {})
    with pytest.raises(ModelError, match="depth"):
        build_encoder("compact", 1, {"depth": 3})
    with pytest.raises(ModelError, match="equal length"):
        build_encoder("compact", 1, {"widths": (32, 64), "blocks": (1,)})
