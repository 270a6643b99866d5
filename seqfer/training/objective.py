"""What a step minimises: cross-entropy of clips and frames, weighted, smoothed, mixed, or what a teacher says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seqfer.models.heads import SequenceOutput, frame_mask
from seqfer.training.config import LossConfig, TeacherConfig


@dataclass(frozen=True)
class Mix:
    """How each clip of a batch is mixed with another one.

    Attributes:
        share: of the clip itself, in [0, 1].
        partner: (B,) int64, positions of the others.
    """

    share: float
    partner: Tensor


def draw_mix(clips: int, alpha: float, seed: int) -> Mix | None:
    """A mixture of each clip of a batch with another one (mixup); None if alpha is 0."""
    if alpha == 0:
        return None
    rng = np.random.default_rng(seed)
    return Mix(float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(clips)))


def mix_frames(frames: Tensor, lengths: Tensor, mix: Mix) -> Tensor:
    """Each clip's frames, mixed with those at the same share of its partner's length.

    Args:
        frames: (N, ...) of all clips, one after the other.
        lengths: (B,) on the CPU, frames of each clip.
        mix: of the B clips.
    """
    starts = lengths.cumsum(0) - lengths
    clip = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    position = torch.arange(int(lengths.sum())) - starts[clip]
    other = mix.partner[clip]
    place = starts[other] + (2 * position + 1) * lengths[other] // (2 * lengths[clip])
    return mix.share * frames + (1 - mix.share) * frames[place.to(frames.device)]


def balanced_weights(labels: NDArray[np.int64], classes: int) -> Tensor:
    """(K,) weights, 1 on average over all samples, by which every class that occurs counts equally."""
    counts = np.bincount(labels, minlength=classes)
    return torch.from_numpy(len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))).float()


@dataclass(frozen=True)
class Lesson:
    """What a teacher says of a batch.

    Attributes:
        output: of the teacher, for the same frames as the model's own.
        config: how much it counts, and at which temperature.
    """

    output: SequenceOutput
    config: TeacherConfig


def losses(
    output: SequenceOutput,
    lengths: Tensor,
    labels: Tensor,
    mix: Mix | None,
    loss: LossConfig,
    weights: Tensor,
    lesson: Lesson | None = None,
) -> tuple[Tensor, Tensor]:
    """Sums of the weighted losses of a batch, and what they are to be divided by.

    Args:
        output: of the model, for B clips.
        lengths: (B,) on the CPU.
        labels: (B,) of the clips.
        mix: how the clips were mixed.
        loss: what counts how much.
        weights: (K,) of the classes; a teacher's part goes without.
        lesson: what a teacher says of the clips, if there is one.

    Returns:
        (2,) sums over clips and over frames, and (2,) the numbers of clips and of frames.
    """
    mask = frame_mask(lengths.to(labels.device), output.frame_logits.shape[1])
    frames = lengths.to(labels.device)
    both = ((output.clip_logits, None), (output.frame_logits[mask], frames))
    sums, divisors = [], []
    for logits, repeats in both:
        total = divisor = logits.new_zeros(())
        for share, truth in _targets(labels, mix):
            target = truth if repeats is None else truth.repeat_interleave(repeats)
            own = F.cross_entropy(logits, target, reduction="none", label_smoothing=loss.label_smoothing)
            # Given the weights, PyTorch would weight what smoothing says of the other classes by theirs, and teach
            # a class that no clip shows, whose weight is the largest of all.
            total = total + share * (weights[target] * own).sum()
            # Not the batch's own weights: a rare clip would cancel its weight in a batch that it dominates.
            divisor = divisor + share * len(target)
        sums.append(total)
        divisors.append(divisor)
    if lesson:
        share, taught = lesson.config.share, (lesson.output.clip_logits, lesson.output.frame_logits[mask])
        sums = [
            (1 - share) * own + share * disagreement(logits, theirs, lesson.config.temperature)
            for own, (logits, _), theirs in zip(sums, both, taught, strict=True)
        ]
    return torch.stack(sums), torch.stack(divisors).detach()


def disagreement(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Sum over N samples of how far a model's probabilities are from its teacher's (Kullback-Leibler divergence).

    Args:
        logits: (N, K) of the model.
        teacher: (N, K) of the teacher.
        temperature: by which both are divided. The sum is multiplied by its square, as gradients shrink by that.
    """
    ours, theirs = (F.log_softmax(some / temperature, 1) for some in (logits, teacher))
    return temperature**2 * F.kl_div(ours, theirs, reduction="sum", log_target=True)


def _targets(labels: Tensor, mix: Mix | None) -> list[tuple[float, Tensor]]:
    if mix is None:
        return [(1.0, labels)]
    return [(mix.share, labels), (1 - mix.share, labels[mix.partner.to(labels.device)])]
