"""SequenceClassifier: a frame encoder and a temporal head as one model of clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from seqfer.errors import ModelError
from seqfer.labels import FER7, LabelSet
from seqfer.models.encoders import build_encoder
from seqfer.models.heads import SequenceOutput, build_head, frame_mask, padded
from seqfer.preprocess import Preprocess


@dataclass(frozen=True)
class Architecture:
    """Everything that fixes a model's layers and its reading of pixels and time.

    Attributes:
        encoder: name in `seqfer.models.encoders.ENCODERS`.
        encoder_settings: its arguments beyond `channels`.
        head: name in `seqfer.models.heads.HEADS`.
        head_settings: its arguments beyond the sizes.
        labels: the expressions, in the order of the logits.
        preprocess: from face crop to network input.
        frame_rate: frames per second at which the head reads a clip.
        window_s: how much of a clip the head sees at once, as long as the longest clips that it learns from.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - checkpoints with other keys are refused

    encoder: str = "compact"
    encoder_settings: dict[str, Any] = field(default_factory=dict)
    head: str = "bilstm"
    head_settings: dict[str, Any] = field(default_factory=dict)
    labels: LabelSet = FER7
    preprocess: Preprocess = field(default_factory=Preprocess)
    frame_rate: float = 25.0
    window_s: float = 4.0

    def __post_init__(self) -> None:
        if not 1 <= self.frame_rate <= 1000:
            raise ModelError(f"the head's frame rate must lie in [1, 1000] per second, not {self.frame_rate}")
        if not 0 < self.window_s <= 3600:
            raise ModelError(f"the head's window must lie in (0, 3600] seconds, not {self.window_s}")


class SequenceClassifier(nn.Module):
    """Expression logits per frame and per clip.

    A still image is a clip with T = 1. Clips of different length in one padded batch give the numbers that
    each gives alone, within floating-point rounding: padded frames are never encoded.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = build_encoder(
            architecture.encoder, architecture.preprocess.input_planes, architecture.encoder_settings
        )
        self.head = build_head(
            architecture.head, self.embedding_dim, len(architecture.labels), architecture.head_settings
        )

    @property
    def embedding_dim(self) -> int:
        """D, the size of a frame's embedding."""
        return int(self.encoder.embedding_dim)  # type: ignore[arg-type]

    def forward(self, clips: Tensor, lengths: Tensor) -> SequenceOutput:
        """
        Args:
            clips: (B, T, C, H, W) float, preprocessed frames, padded behind each clip's end.
            lengths: (B,) int64, frames of each clip, 1 <= length <= T.
        """
        if clips.ndim != 5 or lengths.shape != clips.shape[:1]:
            shapes = f"{tuple(clips.shape)} and {tuple(lengths.shape)}"
            raise ValueError(f"clips must be (B, T, C, H, W) and lengths (B,), not {shapes}")
        if len(lengths) == 0 or lengths.min() < 1 or lengths.max() > clips.shape[1]:
            raise ValueError(f"lengths must lie in [1, {clips.shape[1]}]: {lengths.tolist()}")
        mask = frame_mask(lengths.to(clips.device), clips.shape[1])
        # Only the clips' own frames are encoded.
        output: SequenceOutput = self.head(padded(self.encoder(clips[mask]), mask), lengths)
        return output
