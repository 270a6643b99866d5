"""How a temporal head reads clips made from held-out stills, beside the mean of frames read alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import OptionError
from seqfer.evaluation.calibration import log_loss, reliability
from seqfer.evaluation.metrics import gain_interval
from seqfer.models.heads import BiLSTMHead, SequenceOutput
from seqfer.models.inference import Predictor
from seqfer.training.clips import Clips, ClipStyle, make_clips


@dataclass(frozen=True)
class ClipFigures:
    """How a head reads clips, beside the mean of what the encoder reads in each frame alone.

    Attributes:
        clip_accuracy: of steady clips, by the head's clip logits.
        clip_accuracy_of_means: of the same clips, by the mean of the frame probabilities.
        gain: 95 % interval of the first less the second.
        frame_accuracy: of frames that show one still alone, in all clips, by the head's frame logits.
        frame_accuracy_alone: of the same frames, each read alone.
        frame_ece: expected calibration error of the same frames, by the head.
        log_loss: of steady clips and of frames that show one still alone, added, by the head; nats.
        changes_per_s: changes of the leading label per second, by the head.
        changes_per_s_alone: the same, each frame read alone.
        clips: steady clips counted.
        frames: frames counted.
    """

    clip_accuracy: float
    clip_accuracy_of_means: float
    gain: tuple[float, float]
    frame_accuracy: float
    frame_accuracy_alone: float
    frame_ece: float
    log_loss: float
    changes_per_s: float
    changes_per_s_alone: float
    clips: int
    frames: int


@dataclass(frozen=True)
class EncodedClips:
    """Clips as an encoder sees them, with what they show."""

    embeddings: Tensor  # (B, T, D)
    targets: Tensor  # (B, T, K)
    pure: Tensor  # (B, T)
    steady: Tensor  # (B,)


def validation_clips(
    predictor: Predictor, stills: StillSet, count: int, frames: int, style: ClipStyle, seed: int = 12345
) -> EncodedClips:
    """Clips of held-out stills, the same ones whenever they are made; at most one begins with each still.

    Raises:
        OptionError: `count` is not positive.
    """
    if count < 1:
        raise OptionError(f"at least one clip is needed, not {count}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(stills), generator=generator)[:count]
    labels = torch.from_numpy(stills.labels)
    truth = torch.nn.functional.one_hot(labels, len(predictor.architecture.labels)).float()
    parts = []
    for chosen in torch.split(order, 32):
        clips = make_clips(stills, chosen, frames, truth, style, generator)
        parts.append(EncodedClips(encode_clips(predictor, clips), clips.targets, clips.pure, clips.steady))
    columns = ("embeddings", "targets", "pure", "steady")
    return EncodedClips(*(torch.cat([getattr(part, column) for part in parts]) for column in columns))


def encode_clips(predictor: Predictor, clips: Clips) -> Tensor:
    """Embeddings (B, T, D) float32 of clips."""
    count, length = clips.frames.shape[:2]
    return encode_pictures(predictor, clips.frames.reshape(-1, *clips.frames.shape[2:])).reshape(count, length, -1)


def encode_pictures(predictor: Predictor, pictures: NDArray[np.uint8]) -> Tensor:
    """Embeddings (N, D) float32 of grey pictures (N, H, W), on the CPU."""
    return torch.from_numpy(predictor.encode(pictures[..., None])).float()


@torch.inference_mode()
def measure_head(head: BiLSTMHead, clips: EncodedClips, frame_rate: float) -> ClipFigures:
    """A head's figures on clips, beside those of its own frame-wise reading.

    Raises:
        OptionError: none of the clips shows one still throughout.
    """
    if not bool(clips.steady.any()):
        raise OptionError(f"none of {len(clips.steady)} clips shows one still throughout; make more of them")
    device = head.frame.weight.device
    truth = clips.targets.argmax(2)
    alone_parts, clip_parts, frame_parts = [], [], []  # probabilities
    for embeddings in torch.split(clips.embeddings, 64):
        lengths = torch.full((len(embeddings),), embeddings.shape[1])
        output: SequenceOutput = head(embeddings.to(device), lengths)
        alone_parts.append(head.frame(embeddings.to(device)).softmax(2).cpu())
        clip_parts.append(output.clip_logits.softmax(1).cpu())
        frame_parts.append(output.frame_logits.softmax(2).cpu())
    alone, clip, said = torch.cat(alone_parts), torch.cat(clip_parts), torch.cat(frame_parts)
    frame = said.argmax(2)
    leading = clip.argmax(1)
    steady, pure = clips.steady, clips.pure
    seconds = truth.numel() / frame_rate

    shown = truth[steady, 0]
    by_head, by_means = leading[steady] == shown, alone[steady].mean(1).argmax(1) == shown

    def share(hits: Tensor) -> float:
        return float(hits.float().mean())

    def changes(labels: Tensor) -> float:
        return float((labels[:, 1:] != labels[:, :-1]).sum()) / seconds

    return ClipFigures(
        clip_accuracy=share(by_head),
        clip_accuracy_of_means=share(by_means),
        gain=gain_interval(int((by_head & ~by_means).sum()), int((by_means & ~by_head).sum()), len(shown)),
        frame_accuracy=share(frame[pure] == truth[pure]),
        frame_accuracy_alone=share(alone.argmax(2)[pure] == truth[pure]),
        frame_ece=reliability(said[pure].double().numpy(), truth[pure].numpy()).ece,
        log_loss=log_loss(clip[steady].double().numpy(), shown.numpy())
        + log_loss(said[pure].double().numpy(), truth[pure].numpy()),
        changes_per_s=changes(frame),
        changes_per_s_alone=changes(alone.argmax(2)),
        clips=len(shown),
        frames=int(pure.sum()),
    )
