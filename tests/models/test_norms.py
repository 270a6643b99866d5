"""Fitting batch norms: what they put out is standardised over the images, and nothing else changes."""

from __future__ import annotations

import torch
from torch import nn

from seqfer.models.norms import fit_norms


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)
    )


def test_maps_are_standardised_over_all_batches() -> None:
    fitted, images = network(), 5 + 3 * torch.randn(60, 1, 12, 12)
    before = {name: value.clone() for name, value in fitted.named_parameters()}
    fit_norms(fitted, torch.tensor_split(images, 3))
    assert not any(module.training for module in fitted.modules())
    for name, value in fitted.named_parameters():
        assert torch.equal(value, before[name])
    with torch.no_grad():
        for depth in (2, 6):
            maps = fitted[:depth](images).transpose(0, 1).flatten(1)
            torch.testing.assert_close(maps.mean(1), torch.zeros(len(maps)), atol=0.02, rtol=0)
            torch.testing.assert_close(maps.std(1), torch.ones(len(maps)), atol=0.02, rtol=0)


def test_norms_that_are_to_be_kept_are() -> None:
    fitted, images = network(), 5 + 3 * torch.randn(20, 1, 12, 12)
    before = {name: value.clone() for name, value in fitted.state_dict().items()}
    fit_norms(fitted, [images], kept=[fitted[:2]])
    after = fitted.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name.startswith("1."))
    assert not torch.equal(after["5.running_mean"], before["5.running_mean"])
