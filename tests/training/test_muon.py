"""Muon: kernels move equally far in every direction, all else moves as AdamW moves it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from seqfer.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 9), (32, 288), (64, 16), (1, 9), (5, 5)])
def test_singular_values_are_made_equal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonal(1000 * matrix)
    assert made.shape == shape
    own = u.T @ made @ v.T
    assert (own.diagonal() > 0.3).all()
    assert (own.diagonal() < 1.3).all()
    assert (own - own.diagonal().diag()).abs().max() < 1e-3  # the directions themselves stay


def test_no_gradient_moves_nothing() -> None:
    assert orthogonal(torch.zeros(4, 9)).abs().max() == 0


def test_a_kernels_first_step_is_as_large_as_adamws() -> None:
    conv = nn.Conv2d(16, 32, 3, bias=False)
    before = conv.weight.detach().clone()
    conv.weight.grad = 1e-6 * torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([{"params": [conv.weight], "weight_decay": 0.0}], 0.01, 0.9).step()
    moved = (conv.weight.detach() - before).square().mean().sqrt()
    assert 0.01 * 0.2 * 0.7 < float(moved) < 0.01 * 0.2 * 1.2


def test_what_is_no_kernel_moves_as_adamw_moves_it() -> None:
    torch.manual_seed(0)
    ours = nn.Linear(6, 4)
    theirs = copy.deepcopy(ours)
    reference = torch.optim.AdamW(theirs.parameters(), 0.01, betas=(0.9, 0.999), weight_decay=0.1)
    optimizer = Muon([{"params": list(ours.parameters()), "weight_decay": 0.1}], 0.01, 0.9)
    for _ in range(20):
        inputs = torch.randn(8, 6)
        for layer, one in ((ours, optimizer), (theirs, reference)):
            one.zero_grad()
            layer(inputs).square().sum().backward()
            one.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_its_state_can_be_stored_and_taken_up() -> None:
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(16, 3))
    inputs = torch.randn(5, 2, 4, 4)

    def steps(model: nn.Module, optimizer: Muon, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()

    def muon(model: nn.Module) -> Muon:
        return Muon([{"params": list(model.parameters()), "weight_decay": 0.1}], 0.02, 0.9)

    first = muon(whole)
    steps(whole, first, 3)
    again = copy.deepcopy(whole)
    second = muon(again)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(whole, first, 3)
    steps(again, second, 3)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_momentum_looks_ahead() -> None:
    """Nesterov's: the step is that of the mean as it would be with the same gradient again."""
    convolution = nn.Conv2d(4, 4, 3, bias=False)
    one, other = torch.randn(2, *convolution.weight.shape, generator=torch.Generator().manual_seed(0))
    optimizer = Muon([{"params": [convolution.weight], "weight_decay": 0.0}], 0.01, 0.9)
    for gradient in (one, other):
        before, convolution.weight.grad = convolution.weight.detach().clone(), gradient
        optimizer.step()
    mean = 0.9 * 0.1 * one + 0.1 * other
    ahead = (0.1 * other + 0.9 * mean).flatten(1)
    expected = orthogonal(ahead) * 0.01 * 0.2 * 6  # 36 on its longer side
    torch.testing.assert_close((before - convolution.weight.detach()).flatten(1), expected)
