"""What an epoch's model is worth, where it comes from, and what happens when it cannot be written."""

from __future__ import annotations

import copy
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqfer import __version__
from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.errors import OutputError
from seqfer.evaluation.calibration import log_loss
from seqfer.evaluation.metrics import metrics
from seqfer.evaluation.predictions import predict
from seqfer.models.checkpoint import Provenance
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.inference import Predictor
from seqfer.models.norms import fit_norms
from seqfer.training.config import TrainConfig
from seqfer.training.optimizers import stages_of
from seqfer.training.processes import own_batch_norms
from seqfer.training.schedule import Merit

NORM_FRAMES_AT_ONCE = 256


def with_precise_norms(
    model: SequenceClassifier,
    packed: PackedClips,
    frames: NDArray[np.int64],
    device: torch.device,
    frozen: Sequence[int] = (),
) -> SequenceClassifier:
    """A model with the same weights, whose norms have their statistics from frames as they are.

    In training, norms run along with weights that change, over faces that are blurred, covered and mixed. What
    they keep of it fits neither the faces that the model is to read nor averaged weights (Wu & Johnson,
    "Rethinking 'Batch' in BatchNorm", 2021).

    Args:
        model: left as it is.
        packed: the cache that holds the frames.
        frames: positions (N,) in it, N >= 1, in random order.
        device: where the model is.
        frozen: the encoder's stages, counted from the input on, whose norms keep what they have.
    """
    precise = copy.deepcopy(model)
    own_batch_norms(precise)
    stages, preprocess = stages_of(precise), model.architecture.preprocess
    batches = np.array_split(frames, -(-len(frames) // NORM_FRAMES_AT_ONCE))
    images = (preprocess(torch.from_numpy(packed.frames[batch]).to(device)) for batch in batches)
    fit_norms(
        precise.encoder,
        (batch.contiguous(memory_format=torch.channels_last) for batch in images),
        [stages[number] for number in frozen],
    )
    return precise


def measure(
    model: SequenceClassifier, device: torch.device, packed: PackedClips, clips: Sequence[PackedClip]
) -> dict[str, Any]:
    """A model's figures on some clips, read as `seqfer evaluate` reads them; the model stays as it is."""
    model = copy.deepcopy(model)
    own_batch_norms(model)
    predictions = predict(Predictor(model, device), packed, clips)
    figures = metrics(predictions.matrix())
    return {
        "clips": figures.count,
        "accuracy": figures.accuracy,
        "uar": figures.uar,
        "macro_f1": figures.macro_f1,
        "log_loss": log_loss(predictions.probabilities, predictions.truth),
    }


def merit(entry: dict[str, Any], select: str) -> Merit:
    """How good an epoch of a history is; of two with the same figure, the one with less loss is better."""
    if select == "last":
        return (float(entry["epoch"]),)
    figures = entry["validation"]
    loss = float(figures["log_loss"])
    return (-loss,) if select == "loss" else (float(figures[select]), -loss)


def provenance_of(
    config: TrainConfig, given: dict[str, str], data: dict[str, Any], entry: dict[str, Any]
) -> Provenance:
    """The record of an epoch's model.

    Args:
        config: the run's settings.
        given: the weights that the run began with, as `start`, and its teacher's, as `teacher`: their SHA-256, or
            what there was instead.
        data: what was learnt from.
        entry: of the epoch, in the run's history.
    """
    settings = asdict(config)
    for section, name in (("start", "weights"), ("teacher", "model")):
        # Where a model lay on somebody's disk is nobody else's business; its digest says which it was.
        settings[section][name] = Path(settings[section][name]).name
    training = {
        "config": settings,
        **{f"{name}_sha256": weights for name, weights in given.items()},
        "data": data,
        "epoch": entry["epoch"],
        "seed": config.seed,
        "versions": {"seqfer": __version__, "torch": torch.__version__},
    }
    measured = entry["validation"]
    chose = config.select != "last"
    return Provenance(training, {"validation": {**measured, "chose_the_epoch": chose}} if measured else {})


@contextmanager
def on_disk(run: Path) -> Iterator[None]:
    """Turn what the operating system says of a run's files into an error with a remedy."""
    try:
        yield
    except (OSError, OutputError) as error:
        cause = error.__cause__ if isinstance(error, OutputError) else error
        if not isinstance(cause, OSError):
            raise
        room = "make room and " if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        raise OutputError(run, f"cannot be used ({cause.strerror or cause}); {room}go on with --resume") from cause
