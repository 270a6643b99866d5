"""Training a frame encoder on labelled stills: each still a clip of one frame.

The loop is a generator: it yields one report per epoch and prints nothing. After every epoch its whole state
lies in the run's folder, and a run that was stopped goes on from there with the numbers it would have had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import ModelError, OptionError
from seqfer.evaluation.metrics import Metrics, confusion_matrix, metrics
from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.inference import classify_stills
from seqfer.training.augmentation import Strength, disturb, draw, still_noise
from seqfer.training.state import RunState

STATE = "state.pt"


@dataclass(frozen=True)
class EncoderRecipe:
    """How an encoder is trained.

    Attributes:
        epochs: passes over the training stills.
        batch_size: stills in a step.
        peak_rate: highest learning rate of the one-cycle schedule (Smith & Topin, 2018).
        warmup: share of all steps in which the rate climbs to its peak.
        momentum: of Nesterov's accelerated gradient.
        weight_decay: L2 penalty on weight matrices and kernels; biases and norms go free.
        label_smoothing: probability taken from the true label and spread over all (Szegedy et al., 2016).
        mixup: alpha of the Beta distribution that mixes pairs of stills (Zhang et al., 2018); 0 mixes none.
        seed: of initialisation, order and disturbances.
        strength: of the disturbances.
    """

    epochs: int = 60
    batch_size: int = 128
    peak_rate: float = 0.1
    warmup: float = 0.15
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    mixup: float = 0.2
    seed: int = 0
    strength: Strength = field(
        default_factory=lambda: Strength(
            rotation_deg=12,
            shift=0.1,
            zoom=0.12,
            stretch=0.06,
            gamma=0.3,
            shade=0.15,
            blur=0.2,
            noise=0.03,
            occlusion=0.2,
        )
    )

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise OptionError("epochs must be at least 1 and batch_size at least 2")
        if not 0 < self.warmup < 1:
            raise OptionError(f"warmup must lie in (0, 1), not {self.warmup}")


@dataclass(frozen=True)
class EpochReport:
    """What one epoch brought.

    Attributes:
        epoch: counted from 1.
        loss: mean training loss.
        validation: figures on the validation stills.
        best: whether this epoch has the highest validation accuracy so far.
        seconds: wall time, validation included.
    """

    epoch: int
    loss: float
    validation: Metrics
    best: bool
    seconds: float


def train_encoder(
    model: SequenceClassifier,
    train: StillSet,
    validation: StillSet,
    recipe: EncoderRecipe,
    run: Path,
    device: torch.device,
    provenance: dict[str, Any],
) -> Iterator[EpochReport]:
    """Train until the recipe's last epoch, from wherever `run` stands; `run/best` is the chosen model.

    Args:
        model: with a head that reads single frames; trained in place.
        train: stills to learn from.
        validation: stills by whose accuracy the best epoch is chosen; never learnt from.
        recipe: how.
        run: folder of the run; holds `state.pt` after each epoch and the checkpoint `best`.
        device: where to compute.
        provenance: goes into the checkpoint's training record, beside the recipe.

    Raises:
        ModelError: the run was begun with another recipe, data or model, or the loss is no longer a number.
    """
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps_per_epoch = len(train) // recipe.batch_size
    optimizer = torch.optim.SGD(
        _parameter_groups(model, recipe.weight_decay), recipe.peak_rate, recipe.momentum, nesterov=True
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: one_cycle(step / (steps_per_epoch * recipe.epochs), recipe.warmup)
    )
    images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    origin = {"recipe": asdict(recipe), "data": train.sha256(), "architecture": asdict(model.architecture)}
    state = RunState(run / STATE, origin, model=model, optimizer=optimizer, scheduler=scheduler)
    first, best = state.restore()
    for epoch in range(first, recipe.epochs):
        start = perf_counter()
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
        # Dropout draws from the global generator: seeded here, it does not remember earlier epochs either.
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        model.train()
        total = torch.zeros((), device=device)
        order = torch.randperm(len(train), generator=generator)
        for step in range(steps_per_epoch):
            chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            batch = model.architecture.preprocess.planes(images[chosen, :, :, None])
            batch = disturb(batch, draw(recipe.strength, still_noise(len(chosen), generator)), generator)
            batch = model.architecture.preprocess.scale(batch).to(device)
            loss = _mixed_loss(model, batch, labels[chosen].to(device), recipe, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            total += loss.detach()
        mean_loss = float(total) / steps_per_epoch
        if not np.isfinite(mean_loss):
            raise ModelError(f"{run}: the loss of epoch {epoch + 1} is {mean_loss}; lower peak_rate")
        figures = _validate(model, validation, device)
        is_best = figures.accuracy > best
        best = max(best, figures.accuracy)
        if is_best:
            record = {**provenance, "recipe": asdict(recipe), "chosen_epoch": epoch + 1}
            save_checkpoint(run / "best", model, Provenance(training=record))
        state.save(epoch + 1, best)
        yield EpochReport(epoch + 1, mean_loss, figures, is_best, perf_counter() - start)


def one_cycle(progress: float, warmup: float) -> float:
    """Learning rate as a share of its peak, at `progress` in [0, 1]: linear ascent, then half a cosine."""
    if progress < warmup:
        return 0.04 + 0.96 * progress / warmup
    return 0.5 + 0.5 * cos(pi * min(1.0, (progress - warmup) / (1 - warmup)))


def _mixed_loss(
    model: SequenceClassifier,
    batch: Tensor,
    labels: Tensor,
    recipe: EncoderRecipe,
    generator: torch.Generator,
) -> Tensor:
    share = 1.0
    partner = torch.arange(len(labels), device=labels.device)
    if recipe.mixup > 0:
        gammas = torch._standard_gamma(torch.full((2,), recipe.mixup), generator=generator)
        share = float(gammas[0] / gammas.sum()) if gammas.sum() > 0 else 1.0
        partner = torch.randperm(len(labels), generator=generator).to(labels.device)
        batch = share * batch + (1 - share) * batch[partner]
    batch = batch.contiguous(memory_format=torch.channels_last)
    with torch.autocast(batch.device.type, torch.bfloat16):
        embeddings = model.encoder(batch)
    lengths = torch.ones(len(labels), dtype=torch.int64, device=labels.device)
    logits = model.head(embeddings.float()[:, None], lengths).clip_logits
    return share * F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing) + (
        1 - share
    ) * F.cross_entropy(logits, labels[partner], label_smoothing=recipe.label_smoothing)


def _validate(model: SequenceClassifier, stills: StillSet, device: torch.device) -> Metrics:
    probabilities = classify_stills(model, stills.images, device)
    return metrics(confusion_matrix(stills.labels, probabilities.argmax(1), len(model.architecture.labels)))


def _parameter_groups(model: SequenceClassifier, weight_decay: float) -> list[dict[str, Any]]:
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
