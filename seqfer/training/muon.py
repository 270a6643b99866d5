"""An optimiser that lets every direction of a kernel learn at the same pace."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import torch
from torch import Tensor

QUINTIC = 3.4445, -4.7750, 2.0315  # what moves singular values near 1 in few iterations (Jordan, 2024)
ITERATIONS = 5
ADAM_RMS = 0.2  # about the root mean square of what AdamW moves weights by, in units of its rate
SLOW, LEAST = 0.999, 1e-8  # the second beta and epsilon of Adam


class Muon(torch.optim.Optimizer):
    """Momentum whose singular values are all made equal, for convolutions' kernels; AdamW for all else.

    `torch.optim.Muon` takes matrices alone: no kernels, no biases, no norms. Rates and weight decay mean what they
    mean for AdamW.

    Sources: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; Liu et al., Muon is
    scalable for LLM training, 2025 (the size of steps).
    """

    def __init__(self, groups: Iterable[dict[str, Any]], rate: float, momentum: float) -> None:
        """
        Args:
            groups: parameters with their `weight_decay`.
            rate: the learning rate.
            momentum: of kernels (Nesterov's), and the first beta of AdamW.
        """
        super().__init__(groups, {"lr": rate, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                direction = self._kernel_step if weight.ndim == 4 else self._adam_step
                weight.sub_(direction(weight, weight.grad, group["momentum"]), alpha=group["lr"])

    def _kernel_step(self, weight: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        state["mean"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(state["mean"], momentum).flatten(1)
        return (ADAM_RMS * sqrt(max(ahead.shape)) * orthogonal(ahead)).view(weight.shape)

    def _adam_step(self, weight: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
            state["step"] = torch.zeros(())
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - momentum)
        state["square"].lerp_(gradient.square(), 1 - SLOW)
        count = float(state["step"])
        mean, square = state["mean"] / (1 - momentum**count), state["square"] / (1 - SLOW**count)
        direction: Tensor = mean / (square.sqrt() + LEAST)
        return direction


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix (M, N) with singular values moved to between 0.7 and 1.2, by Newton's and Schulz's iteration.

    Singular values much smaller than the largest one stay below that.
    """
    a, b, c = QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp_min(1e-12)
    # Each iteration multiplies by a polynomial of the small square matrix alone, so the wide one can wait.
    square = wide @ wide.T
    factor = identity = torch.eye(len(wide)).to(wide)
    for _ in range(ITERATIONS):
        polynomial = a * identity + b * square + c * square @ square
        factor = polynomial @ factor
        square = polynomial @ square @ polynomial
    made: Tensor = factor @ wide
    return made if matrix.shape[0] <= matrix.shape[1] else made.T
