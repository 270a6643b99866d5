"""Ensembles of frame models: several networks, each trained alone, whose softmax outputs are averaged.

An ensemble is a model as any other: an encoder that puts its members' embeddings one after the other, and a head
that lets each member classify its own. HERO (Hua et al., IEEE Access 7, 2019) joins convolutional networks of
different depth; how is not public in detail, and averaging is our choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqfer.errors import ModelError
from seqfer.models.checkpoint import Checkpoint, Provenance
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.encoders import build_encoder
from seqfer.models.heads import MeanHead, SequenceOutput


class EnsembleEncoder(nn.Module):
    """The embeddings of several encoders, one after the other."""

    def __init__(
        self, channels: int = 1, members: Sequence[tuple[str, dict[str, Any]]] = (), mirrored: bool = False
    ) -> None:
        """
        Args:
            channels: planes of the input.
            members: name and settings of each encoder, at least one.
            mirrored: an embedding is the mean of those of the image and of its mirror image, at twice the cost.
        """
        super().__init__()
        if not members:
            raise ModelError("an ensemble needs members")
        built = [build_encoder(name, channels, settings) for name, settings in members]
        self.members = nn.ModuleList(built)
        self.mirrored = mirrored
        self.embedding_dim = sum(member.embedding_dim for member in built)  # type: ignore[misc]

    def stages(self) -> list[nn.Module]:
        return list(self.members)

    def forward(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N, D)
        if not self.mirrored:
            return self._read(images)
        # The image itself last: Grad-CAM looks at what a layer did last.
        mirror = self._read(images.flip(3))
        return (mirror + self._read(images)) / 2

    def _read(self, images: Tensor) -> Tensor:
        return torch.cat([member(images) for member in self.members], 1)


class AverageHead(nn.Module):
    """Each member reads its own part of the embedding as `MeanHead` does; probabilities are averaged."""

    def __init__(self, embedding_dim: int, labels: int, parts: tuple[int, ...] = ()) -> None:
        """
        Args:
            embedding_dim: D.
            labels: K.
            parts: sizes of the members' embeddings, which sum to D.
        """
        super().__init__()
        if sum(parts) != embedding_dim:
            raise ModelError(f"parts must sum to the embedding's {embedding_dim} numbers: {parts}")
        self._parts = list(parts)
        self.heads = nn.ModuleList(MeanHead(part, labels) for part in parts)
        self.sharpness: Tensor
        self.register_buffer("sharpness", torch.ones(()))

    def soften(self, temperature: float) -> None:
        self.sharpness.div_(temperature)

    def forward(self, embeddings: Tensor, lengths: Tensor) -> SequenceOutput:
        own = torch.split(embeddings, self._parts, dim=2)
        outputs = [head(part, lengths) for head, part in zip(self.heads, own, strict=True)]
        attention: Tensor = outputs[0].attention
        frames = self._average([output.frame_logits for output in outputs])
        clips = self._average([output.clip_logits for output in outputs])
        return SequenceOutput(frames * (attention > 0)[:, :, None], clips, attention)

    def _average(self, logits: list[Tensor]) -> Tensor:
        """Logits whose softmax is the members' average one."""
        shares = torch.stack([one.log_softmax(-1) for one in logits])
        return (shares.logsumexp(0) - math.log(len(logits))) * self.sharpness


def ensemble_of(members: Sequence[Checkpoint], mirrored: bool = False) -> tuple[SequenceClassifier, Provenance]:
    """An ensemble of trained frame models.

    Args:
        members: the models.
        mirrored: whether each reads mirror images too (`EnsembleEncoder`).

    Raises:
        ModelError: a member has a temporal head, or reads other crops or labels than the first.
    """
    first = members[0].model.architecture
    for member in members:
        architecture = member.model.architecture
        if architecture.head != "mean":
            raise ModelError(
                f"{member.name}: an ensemble averages frame models; this one has head {architecture.head}"
            )
        for what in ("labels", "preprocess", "frame_rate", "window_s"):
            if getattr(architecture, what) != getattr(first, what):
                raise ModelError(
                    f"{member.name}: reads other {what} than {members[0].name}; an ensemble shares them"
                )
        if _crops(member) != _crops(members[0]):
            raise ModelError(
                f"{member.name}: its clips were made otherwise than those of {members[0].name} "
                f"({_crops(member)}, {_crops(members[0])}); an ensemble reads the same"
            )
    described = tuple((m.model.architecture.encoder, m.model.architecture.encoder_settings) for m in members)
    parts = tuple(member.model.embedding_dim for member in members)
    model = SequenceClassifier(
        replace(
            first,
            encoder="ensemble",
            encoder_settings={"members": described, "mirrored": mirrored},
            head="average",
            head_settings={"parts": parts},
        )
    )
    for place, member in enumerate(members):
        model.encoder.members[place].load_state_dict(member.model.encoder.state_dict())  # type: ignore[index,union-attr]
        model.head.heads[place].load_state_dict(member.model.head.state_dict())  # type: ignore[index,union-attr]
    # How its members' clips were made, so that it is measured on clips made alike.
    training = {
        "config": {"data": _crops(members[0])},
        "members": [{"name": m.name, "sha256": m.sha256, **m.provenance.training} for m in members],
    }
    return model.eval(), Provenance(training)


def with_mirror_images(model: SequenceClassifier) -> SequenceClassifier:
    """An ensemble as it is, with its head, that reads mirror images too.

    A head that has learnt from single readings reads their means as well, and is trained in half the time.

    Raises:
        ModelError: the model is no ensemble.
    """
    if not isinstance(model.encoder, EnsembleEncoder):
        raise ModelError("only an ensemble can read mirror images too")
    settings = {**model.architecture.encoder_settings, "mirrored": True}
    changed = SequenceClassifier(replace(model.architecture, encoder_settings=settings))
    changed.load_state_dict(model.state_dict())
    return changed.eval()


def _crops(member: Checkpoint) -> dict[str, Any]:
    """How the clips were made that a model has learnt from."""
    data = member.provenance.training.get("config", {}).get("data", {})
    return {name: data[name] for name in ("faces", "picture_rate") if name in data}
