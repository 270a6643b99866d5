"""Optimisers over a model's stages, each at its own share of the learning rate, and averages of weights."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from seqfer.errors import OptionError
from seqfer.models.classifier import SequenceClassifier
from seqfer.training.config import OptimizerConfig
from seqfer.training.muon import Muon

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def stages_of(model: SequenceClassifier) -> list[nn.Module]:
    """The encoder's stages, from the input on."""
    stages: list[nn.Module] = model.encoder.stages()  # type: ignore[operator]
    return stages


def stage_rates(model: SequenceClassifier, rates: tuple[float, ...]) -> list[float]:
    """A share of the learning rate for each stage of the encoder.

    Raises:
        OptionError: there are more or fewer rates than stages.
    """
    count = len(stages_of(model))
    if len(rates) not in (1, count):
        raise OptionError(
            f"start.stage_rates has {len(rates)} entries, but encoder {model.architecture.encoder!r} has {count} "
            "stages; give one for each, or one for all"
        )
    return list(rates) * count if len(rates) == 1 else list(rates)


def make_optimizer(
    model: SequenceClassifier, config: OptimizerConfig, rates: tuple[float, ...]
) -> torch.optim.Optimizer:
    """The optimiser of a model; stages with rate 0 are frozen. Each group carries its `share` of the rate."""
    groups: list[dict[str, Any]] = []
    for part, share in [*zip(stages_of(model), stage_rates(model, rates), strict=True), (model.head, 1.0)]:
        part.requires_grad_(share > 0)
        for decay, matrices in ((config.weight_decay, True), (0.0, False)):
            chosen = [p for p in part.parameters() if share > 0 and (p.ndim > 1) == matrices]
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, "share": share})
    if config.name == "sgd":
        return torch.optim.SGD(groups, config.rate, config.momentum, nesterov=config.momentum > 0)
    if config.name == "muon":
        return Muon(groups, config.rate, config.momentum)
    if config.name == "rmsprop":
        return torch.optim.RMSprop(groups, config.rate, momentum=config.momentum)
    if config.name == "adagrad":
        return torch.optim.Adagrad(groups, config.rate)
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind(groups, config.rate, betas=(config.momentum, 0.999))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def moving_average(model: SequenceClassifier, decay: float) -> AveragedModel:
    """An exponential moving average of a model's weights and of its norms' statistics.

    It begins with a short memory, which grows to `decay`, so that it soon forgets how the run began.
    """

    def average(averaged: Tensors, current: Tensors, steps: Tensor | int) -> None:
        """All values of one type at once, in place."""
        if averaged[0].is_floating_point():
            done = int(steps)
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + done) / (10 + done)))
        else:
            torch._foreach_copy_(averaged, current)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
