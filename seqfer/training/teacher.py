"""A trained model that a new one learns from: found, checked, and asked about each batch or once for all."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.errors import ModelError
from seqfer.evaluation.predictions import predict
from seqfer.models.bundled import load_model
from seqfer.models.checkpoint import Checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.folding import folded
from seqfer.models.heads import SequenceOutput, frame_mask
from seqfer.models.inference import Predictor
from seqfer.training.batches import Batch
from seqfer.training.config import TeacherConfig
from seqfer.training.objective import Mix
from seqfer.training.reader import Reader

LEAST = 1e-6  # probability, so that its logarithm is a number


def find_teacher(config: TeacherConfig, pupil: Architecture, side: int = 0) -> Checkpoint | None:
    """The teacher that settings name, if they name one.

    Args:
        config: the settings.
        pupil: who learns from it.
        side: of the crops' middle that it is shown in early epochs, in pixels; 0 if crops are shown whole.

    Raises:
        ModelError: it is not there, or does not read what the pupil reads, or tells other labels apart.
    """
    if not config.model:
        return None
    given = load_model(config.model)
    theirs = given.model.architecture
    for name, ours, other in (
        ("labels", ", ".join(pupil.labels), ", ".join(theirs.labels)),
        ("crops", pupil.preprocess, theirs.preprocess),
        ("frame rate", pupil.frame_rate, theirs.frame_rate),
    ):
        if ours != other:
            raise ModelError(f"teacher.model: {config.model!r} has other {name} ({other}) than the model ({ours})")
    if side and not config.once:
        middle = torch.zeros(1, 1, theirs.preprocess.input_planes, side, side)
        try:
            with torch.no_grad():
                given.model(middle, torch.ones(1, dtype=torch.int64))
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"teacher.model: {config.model!r} cannot read {side} pixels; let window.side be 0, or ask it once "
                "(teacher.once)"
            ) from error
    return given


class Teacher:
    """A model that answers, and does not learn."""

    def __init__(self, model: SequenceClassifier, dtype: torch.dtype, device: torch.device) -> None:
        """
        Args:
            model: in eval mode; left as it is.
            dtype: in which its encoder computes.
            device: where.
        """
        model = copy.deepcopy(model)
        # Folded into the convolutions, its norms cost nothing.
        model.encoder = folded(model.encoder)
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._reader = Reader(model, dtype).eval()

    @torch.no_grad()
    def read(self, images: Tensor, batch: Batch, mix: Mix | None) -> SequenceOutput:
        """What it says of a batch.

        Args:
            images: (N, C, H, W) frames of the B clips as the pupil reads them, disturbed and mixed.
            batch: where they come from.
            mix: how the clips were mixed.
        """
        output: SequenceOutput = self._reader(images, batch.lengths)
        return output


class AskedOnce:
    """What a model says of each training clip as it is; of mixed clips, it says the mixture.

    It is asked at the first step: a run that is refused, or has nothing left to do, does not wait for it.
    """

    def __init__(
        self, model: SequenceClassifier, packed: PackedClips, clips: Sequence[PackedClip], device: torch.device
    ) -> None:
        """
        Args:
            model: left as it is.
            packed: the cache that holds the clips.
            clips: that are learnt from.
            device: where to compute.
        """
        self._model, self._packed, self._clips, self._device = model, packed, clips, device

    @cached_property
    def _probabilities(self) -> Tensor:  # (N, K) of all training clips
        predictions = predict(Predictor(self._model, self._device), self._packed, self._clips)
        return torch.from_numpy(predictions.probabilities).float().to(self._device)

    def read(self, images: Tensor, batch: Batch, mix: Mix | None) -> SequenceOutput:
        """As `Teacher.read`, but that images count for nothing."""
        said = self._probabilities[batch.chosen.to(self._device)]
        if mix is not None:
            said = mix.share * said + (1 - mix.share) * said[mix.partner.to(self._device)]
        logits = said.clamp_min(LEAST).log()
        frames = int(batch.lengths.max())
        attention = frame_mask(batch.lengths, frames) / batch.lengths[:, None]
        return SequenceOutput(logits[:, None].expand(-1, frames, -1), logits, attention.to(logits))
