"""Temporal heads: a sequence of frame embeddings in, expression logits per frame and per clip out.

`HEADS` is the registry. A head maps padded embeddings (B, T, D) and lengths (B,) to a `SequenceOutput`;
what stands behind a clip's length has no influence on it. Its `soften(temperature)` divides all logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqfer.errors import ModelError
from seqfer.models.encoders import check_names

FALL = 3.0  # of the scores at first, from a frame itself to its farthest neighbour: that counts a twentieth


@dataclass(frozen=True)
class SequenceOutput:
    """What a sequence model says of a padded batch of clips; padded frames hold zeros.

    Attributes:
        frame_logits: (B, T, K) float.
        clip_logits: (B, K) float.
        attention: (B, T) float, each row sums to 1 over the clip's own frames.
    """

    frame_logits: Tensor
    clip_logits: Tensor
    attention: Tensor

    def __post_init__(self) -> None:
        batch, frames, labels = self.frame_logits.shape
        if self.clip_logits.shape != (batch, labels) or self.attention.shape != (batch, frames):
            raise ValueError(f"shapes do not fit: {self!r}")

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in vars(self).items())
        return f"SequenceOutput({shapes})"


class MeanHead(nn.Module):
    """No memory: each frame is classified alone, a clip by the mean of its embeddings."""

    def __init__(self, embedding_dim: int, labels: int, dropout: float = 0.0) -> None:
        """
        Args:
            embedding_dim: D.
            labels: K.
            dropout: share of embedding entries dropped in training.
        """
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.frame = nn.Linear(embedding_dim, labels)

    def soften(self, temperature: float) -> None:
        _divide(temperature, self.frame)

    def forward(self, embeddings: Tensor, lengths: Tensor) -> SequenceOutput:
        lengths = lengths.to(embeddings.device)
        mask = frame_mask(lengths, embeddings.shape[1])  # (B, T)
        embeddings = self.dropout(embeddings) * mask[:, :, None]
        attention = mask / lengths[:, None].to(embeddings)
        return SequenceOutput(
            self.frame(embeddings) * mask[:, :, None],
            self.frame(embeddings.sum(1) / lengths[:, None].to(embeddings)),
            attention,
        )


class NearMean(nn.Module):
    """The mean of each frame's numbers and its neighbours', weighted by how near they are; the weights are learnt.

    Before and after count alike, so that nothing moves in time but at a clip's ends, which have neighbours on one
    side alone. The weights of those that are there sum to 1: a clip of one frame stays as it is.
    """

    def __init__(self, reach: int) -> None:
        """
        Args:
            reach: neighbours on either side, at least one.
        """
        super().__init__()
        if reach < 1:
            raise ModelError(f"reach must be at least 1: {reach}")
        # Of the frame itself, then of ever farther ones.
        self.scores = nn.Parameter(-FALL / reach * torch.arange(reach + 1.0))

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:  # (B, T, K), (B, T) -> (B, T, K)
        weights = torch.cat([self.scores[1:].flip(0), self.scores]).softmax(0)[None, None]
        reach, present = len(self.scores) - 1, mask.to(frames)
        columns = (frames * present[:, :, None]).transpose(1, 2)  # (B, K, T)
        sums = F.conv1d(columns.flatten(0, 1)[:, None], weights, padding=reach).reshape(columns.shape)
        # What is not a clip's own may find nothing near; whatever is said of it is not read.
        found = F.conv1d(present[:, None], weights, padding=reach).clamp_min(1e-6)
        return (sums / found).transpose(1, 2)


class BiLSTMHead(nn.Module):
    """A bidirectional LSTM that corrects the frame-wise reading by what came before and after.

    Frame logits are the sum of two readings, a linear one of the frame's own embedding and one of the LSTM's
    context, and may be averaged over neighbours (`NearMean`). Clip logits are the same sum over attention-pooled
    embeddings and contexts. The context's part starts at zero, so that an untrained head without reach reads like
    `MeanHead`. A clip of one frame has no context, and is read as the frame alone; with `calm`, so is every clip
    in which nothing changes.

    Sources: Graves & Schmidhuber, Neural Networks 18, 2005 (BiLSTM); Yang et al., NAACL 2016 (attention).
    """

    def __init__(
        self,
        embedding_dim: int,
        labels: int,
        width: int = 64,
        layers: int = 1,
        dropout: float = 0.0,
        reach: int = 0,
        calm: float = 0.0,
    ) -> None:
        """
        Args:
            embedding_dim: D.
            labels: K.
            width: LSTM units in each direction.
            layers: LSTM layers.
            dropout: share of embedding and context entries dropped in training.
            reach: neighbours on either side over which a frame's reading is averaged; 0 leaves it alone.
            calm: variance of a clip's frames, in squared logits of the linear reading and on average over labels,
                at which the context begins to count by half, which is learnt from there: where frames agree there
                is nothing for it to correct. 0 lets it always count in full.
        """
        super().__init__()
        if not 0 <= calm < inf:
            raise ModelError(f"calm must be a variance, or 0: {calm}")
        self.dropout = nn.Dropout(dropout)
        self.frame = nn.Linear(embedding_dim, labels)
        self.norm = nn.LayerNorm(embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, width, layers, batch_first=True, bidirectional=True)
        self.context = nn.Linear(2 * width, labels, bias=False)
        attention = nn.Linear(width, 1, bias=False)
        self.score = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), attention)
        self.near = NearMean(reach) if reach else None
        self.calm = nn.Parameter(torch.tensor(log(calm))) if calm else None
        nn.init.zeros_(self.context.weight)
        nn.init.zeros_(attention.weight)

    def soften(self, temperature: float) -> None:
        _divide(temperature, self.frame, self.context)
        if self.calm is not None:
            self.calm.sub_(2 * log(temperature))

    def forward(self, embeddings: Tensor, lengths: Tensor) -> SequenceOutput:
        frames = embeddings.shape[1]
        mask = frame_mask(lengths.to(embeddings.device), frames)  # (B, T)
        packed = pack_padded_sequence(self.norm(embeddings), lengths.cpu(), batch_first=True, enforce_sorted=False)
        context, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=frames)
        return self.read(embeddings, context, mask)

    def read(self, embeddings: Tensor, context: Tensor, mask: Tensor) -> SequenceOutput:
        """What embeddings (B, T, D) and the LSTM's context (B, T, 2 * width) say, where `mask` (B, T) is true."""
        counts = (mask.sum(1) > 1)[:, None, None].to(embeddings)
        if self.calm is not None:
            varies = _variance(self.frame(embeddings), mask)
            counts = varies / (varies + self.calm.exp())
        context = self.dropout(context) * counts
        embeddings = self.dropout(embeddings) * mask[:, :, None]
        scores = self.score(context).squeeze(2).masked_fill(~mask, float("-inf"))
        attention = torch.softmax(scores, dim=1)
        pooled_embedding = (attention[:, None] @ embeddings).squeeze(1)
        pooled_context = (attention[:, None] @ context).squeeze(1)
        read = self.frame(embeddings) + self.context(context)
        if self.near is not None:
            read = self.near(read, mask)
        return SequenceOutput(
            read * mask[:, :, None],
            self.frame(pooled_embedding) + self.context(pooled_context),
            attention,
        )


def _variance(readings: Tensor, mask: Tensor) -> Tensor:
    """How much the readings (B, T, K) of each clip's own frames vary, on average over labels: (B, 1, 1)."""
    present = mask[:, :, None].to(readings)
    frames = present.sum(1, keepdim=True)
    means = (readings * present).sum(1, keepdim=True) / frames
    return ((readings - means).square() * present).sum(1, keepdim=True).mean(2, keepdim=True) / frames


def _average(embedding_dim: int, labels: int, parts: tuple[int, ...] = ()) -> nn.Module:
    from seqfer.models.ensemble import AverageHead

    return AverageHead(embedding_dim, labels, parts)


HEADS: dict[str, Callable[..., nn.Module]] = {"mean": MeanHead, "bilstm": BiLSTMHead, "average": _average}


def build_head(name: str, embedding_dim: int, labels: int, settings: dict[str, Any]) -> nn.Module:
    """A new head of a registered kind.

    Args:
        name: in `HEADS`.
        embedding_dim: D.
        labels: K.
        settings: its other arguments.

    Raises:
        ModelError: the name or a setting is unknown.
    """
    if name not in HEADS:
        raise ModelError(f"unknown head {name!r}; known: {', '.join(HEADS)}")
    check_names(f"head {name!r}", HEADS[name], settings, given=("embedding_dim", "labels"))
    try:
        return HEADS[name](embedding_dim, labels, **settings)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        # What a layer says of a size that it cannot have, in whichever way it says it.
        raise ModelError(f"head {name!r}: {error}") from error


@torch.no_grad()
def soften(head: nn.Module, temperature: float) -> None:
    """Divide all logits of a head by a temperature from now on: above 1 it becomes less sure of itself."""
    if not temperature > 0:
        raise ValueError(f"a temperature is positive, not {temperature}")
    head.soften(temperature)  # type: ignore[operator]


def _divide(temperature: float, *layers: nn.Linear) -> None:
    """Divide the outputs of layers, which together are all logits, by a temperature."""
    for layer in layers:
        for weight in layer.parameters():
            weight.div_(temperature)


def padded(frames: Tensor, mask: Tensor) -> Tensor:
    """Clips whose frames (N, D) lie one after the other as (B, T, D); zeros where `mask` (B, T) is not set."""
    batch = frames.new_zeros(*mask.shape, frames.shape[1])
    batch[mask] = frames
    return batch


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """(B, `frames`) bool: which frames of a padded batch are a clip's own."""
    return torch.arange(frames, device=lengths.device)[None] < lengths[:, None]
