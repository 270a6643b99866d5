"""Several processes that train one model, as `torchrun` starts them: each with a part of every batch.

A single process is a team of one, for which everything here does nothing. A step of a team is the step that one
process would make with the whole batch: gradients are those of the whole batch's mean loss, and batch norms take
their statistics from all parts of it. What each draws for its own part alone is not the same: sensor noise,
dropout, and the partners of mixup.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seqfer.errors import OptionError, one_line

# While one process prepares or validates, the others wait.
PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Team:
    """This process among those that train together.

    Attributes:
        rank: this process's number; the one with number 0 writes files and validates.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and validates."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, without gradient."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def told(self, value: Any) -> Any:
        """What the leading process gives, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with gradients and batch norms that all processes share."""
        if self.size == 1:
            return module
        share_batch_norms(module)
        ids = [device.index] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, device_ids=ids)


@contextmanager
def join_team(device: torch.device) -> Iterator[tuple[Team, torch.device]]:
    """This process's team, and its own device: with several GPUs, each process on a machine takes one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        reason = one_line(error)
        raise OptionError(f"the processes cannot find each other ({reason}); start them by torchrun") from error
    try:
        yield Team(dist.get_rank(), size), device
    finally:
        dist.destroy_process_group()


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the parts of a batch that several processes hold, on any kind of device.

    (`torch.nn.SyncBatchNorm` does the same on GPUs alone.)
    """

    def forward(self, images: Tensor) -> Tensor:  # (N, C, H, W)
        if not self.training:
            return super().forward(images)
        channels = images.shape[1]
        values = images.float()
        count = values.new_full((1,), values.numel() / channels)
        local = torch.cat([values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), count])
        total = _Sum.apply(local)
        mean, square, count = total[:channels] / total[-1], total[channels:-1] / total[-1], total[-1]
        variance = (square - mean.square()).clamp_min(0)
        with torch.no_grad():
            momentum = self.momentum or 0.1
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / (count - 1), momentum)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        shared: Tensor = values * scale[:, None, None] + shift[:, None, None]
        return shared.to(images.dtype)


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, with gradient."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def share_batch_norms(module: nn.Module) -> None:
    """Turn the batch norms of a module into shared ones, in place; they keep their weights and statistics."""
    for child in module.modules():
        if type(child) is nn.BatchNorm2d:
            child.__class__ = SharedBatchNorm


def own_batch_norms(module: nn.Module) -> None:
    """Turn shared batch norms back into ordinary ones, in place."""
    for child in module.modules():
        if type(child) is SharedBatchNorm:
            child.__class__ = nn.BatchNorm2d  # type: ignore[assignment]
