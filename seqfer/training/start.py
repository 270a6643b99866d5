"""What a run begins with: the labels that it tells apart, new layers, and the weights that they start from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch

from seqfer.datasets.packed import PackedClip
from seqfer.datasets.types import ClipRecord, usual_order
from seqfer.errors import ModelError, OptionError, one_line
from seqfer.labels import LabelSet
from seqfer.models.bundled import load_model
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.training.config import TrainConfig

Clip = PackedClip | ClipRecord


def label_set(
    config: TrainConfig, clips: Sequence[Clip], train: Sequence[Clip], validation: Sequence[Clip]
) -> LabelSet:
    """The labels that a run's model tells apart: those of the settings, or of all clips.

    Raises:
        OptionError: a split that is needed is empty, a class is absent from training although the settings do not
            name it, or a label is not in the label set.
    """
    for name, chosen in (("training", train), ("validation", validation)):
        if not chosen and (name, config.select) != ("validation", "last"):
            raise OptionError(
                f"there is no {name} clip; the manifest needs the splits train and validation, as --split "
                "subject:70/15/15 makes them; without validation nothing can be chosen: set select to last"
            )
    labels = LabelSet(config.model.labels or usual_order(clip.label for clip in clips))
    for clip in clips:
        if clip.label not in labels.names:
            raise OptionError(
                f"clip {clip.clip_id!r} is labelled {clip.label!r}, which is not in model.labels "
                f"({', '.join(labels)}); add it there, or leave the clip out of the manifest"
            )
    absent = not_shown(labels, train)
    if absent and not config.model.labels:
        raise OptionError(
            f"no training clip shows {', '.join(absent)}, so it cannot be learnt; split otherwise, leave its "
            "clips out of the manifest, or name all labels in model.labels if it is to count as never recognised"
        )
    return labels


def not_shown(labels: LabelSet, clips: Sequence[Clip]) -> list[str]:
    """The labels that no clip has."""
    present = {clip.label for clip in clips}
    return [name for name in labels if name not in present]


class Start(NamedTuple):
    """A model as a run begins with it.

    Attributes:
        model: with its weights.
        origin: "scratch", "imagenet", or the SHA-256 of the weights of the model that was given.
        new_head: whether a model was given whose head does not fit, and of which only the encoder was taken.
    """

    model: SequenceClassifier
    origin: str
    new_head: bool = False


def starting_model(config: TrainConfig, labels: LabelSet) -> Start:
    """A model as a run begins with it.

    Raises:
        ModelError: the architecture is impossible, or the weights are not there or do not fit it.
    """
    torch.manual_seed(config.seed)
    wanted = config.model
    model = SequenceClassifier(
        Architecture(
            encoder=wanted.encoder,
            encoder_settings=wanted.encoder_settings,
            head=wanted.head,
            head_settings=wanted.head_settings,
            labels=labels,
            preprocess=wanted.preprocess,
            frame_rate=wanted.frame_rate,
            window_s=config.data.longest_s,
        )
    )
    for side in sorted({wanted.size, config.window.side} - {0}, reverse=True):
        _try(model, min(2, config.batch_size), side)
    if config.start.weights == "scratch":
        return Start(model, "scratch")
    if config.start.weights == "imagenet":
        from seqfer.models.torchvision_encoders import imagenet_state

        model.encoder.load_state_dict(imagenet_state(wanted.encoder, wanted.preprocess.input_planes))
        return Start(model, "imagenet")
    given = load_model(config.start.weights)
    ours, theirs = model.architecture, given.model.architecture
    for name, mine, other in (
        ("encoder", ours.encoder, theirs.encoder),
        ("encoder_settings", ours.encoder_settings, theirs.encoder_settings),
        ("channels", ours.preprocess.channels, theirs.preprocess.channels),
        ("edges", ours.preprocess.edges, theirs.preprocess.edges),
    ):
        if mine != other:
            raise ModelError(
                f"start.weights: the model {config.start.weights!r} has {name} {other}, but model.{name} is {mine}"
            )
    model.encoder.load_state_dict(given.model.encoder.state_dict())
    fits = (ours.head, ours.labels, _sizes(model)) == (theirs.head, theirs.labels, _sizes(given.model))
    if fits:
        model.head.load_state_dict(given.model.head.state_dict())
    return Start(model, given.sha256, new_head=not fits)


def _sizes(model: SequenceClassifier) -> dict[str, torch.Size]:
    """The sizes of a head's weights: settings like dropout have none."""
    return {name: value.shape for name, value in model.head.state_dict().items()}


def _try(model: SequenceClassifier, stills: int, side: int) -> None:
    """Raise ModelError if a model's layers cannot learn from pictures of some side, so many in a step."""
    frames = torch.zeros(stills, 1, model.architecture.preprocess.input_planes, side, side)
    try:
        copy.deepcopy(model).train()(frames, torch.ones(stills, dtype=torch.int64))
    except (RuntimeError, TypeError, ValueError) as error:
        reason = one_line(error)
        raise ModelError(
            f"encoder {model.architecture.encoder!r} cannot learn from {side} pixels ({reason})"
        ) from error
