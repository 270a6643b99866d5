"""A trained model that a new one learns from: found, checked, and asked about each batch."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from seqfer.errors import ModelError
from seqfer.models.bundled import load_model
from seqfer.models.checkpoint import Checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.folding import folded
from seqfer.models.heads import SequenceOutput
from seqfer.training.config import TeacherConfig
from seqfer.training.reader import Reader


def find_teacher(config: TeacherConfig, pupil: Architecture) -> Checkpoint | None:
    """The teacher that settings name, if they name one.

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
    def read(self, images: Tensor, lengths: Tensor) -> SequenceOutput:
        """What it says of a batch: the frames (N, C, H, W) of clips of `lengths` (B,), as the pupil reads them."""
        output: SequenceOutput = self._reader(images, lengths)
        return output
