"""What commands that measure models share: a manifest's clips, prepared if need be, and read by a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqfer.cli.console import counted, progress, remark_left_out, remark_line
from seqfer.errors import NO_FILE, OptionError

if TYPE_CHECKING:
    from seqfer.datasets.packed import PackedClip, PackedClips
    from seqfer.datasets.types import Manifest
    from seqfer.evaluation.predictions import Predictions
    from seqfer.labels import LabelSet
    from seqfer.models.checkpoint import Checkpoint
    from seqfer.models.inference import Predictor
    from seqfer.preprocess import Preprocess

SPLITS = ("train", "validation", "test", "all")
LEARNT = ("train", "all")  # which hold what a model has learnt from

Data = Annotated[Path, typer.Option(metavar="MANIFEST", help="A CSV file of `seqfer manifest`.")]
OwnFaces = Annotated[
    str | None,
    typer.Option(
        help="mediapipe, haar or none, as for `seqfer prepare`. Default: as in training, or mediapipe.",
        show_default=False,
    ),
]
OwnPictureRate = Annotated[
    float | None,
    typer.Option(
        metavar="FPS",
        help="Pictures per second of clips that are made of pictures. Default: as in training, or 25.",
        show_default=False,
    ),
]
Faces = Annotated[
    str, typer.Option(help="mediapipe or haar; none for pictures that show a face alone, taken whole.")
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder for the face crops. Default: beside the manifest.", show_default=False),
]
PictureRate = Annotated[
    float, typer.Option(metavar="FPS", help="Pictures per second of clips that are made of pictures.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def record_of(model: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """A model's record of how it was trained, from which `read_split` takes how clips are made.

    Bundled models have learnt from faces taken whole, but are there for videos and photographs: nothing of theirs.
    """
    from seqfer.models.bundled import bundled_models

    return {} if model in bundled_models() else checkpoint.provenance.training


def read_split(
    predictor: Predictor,
    training: dict[str, Any],
    data: Path,
    split: str,
    faces: str | None,
    cache: Path | None,
    picture_rate: float | None,
) -> tuple[Predictions, PackedClips, Manifest]:
    """A model's predictions for a split, the cache that holds its clips, and the manifest.

    Args:
        predictor: the model.
        training: of the model (`record_of`).
        data: the manifest's file.
        split: of `SPLITS`.
        faces: how crops are made, of `seqfer.faces.types.FACES`; as in the model's training if not given.
        cache: folder of the crops; one beside the manifest if not given.
        picture_rate: pictures per second of clips that are made of pictures; as in training if not given.
    """
    from seqfer.datasets.opening import PICTURE_RATE
    from seqfer.evaluation.predictions import predict

    own = training.get("config", {}).get("data", {})
    if split == "validation" and any(map(_with_validation, _runs(training))):
        remark_line("the model has learnt from a validation split (data.with_validation): this one tells too much")
    if faces is None and own.get("faces") == "none":
        remark_line("pictures are taken whole, as in the model's training; --faces mediapipe finds faces in them")
    faces = faces or own.get("faces", "mediapipe")
    picture_rate = picture_rate or own.get("picture_rate", PICTURE_RATE)
    labels, preprocess = predictor.architecture.labels, predictor.architecture.preprocess
    chosen, packed, manifest = open_split(labels, preprocess, data, split, faces, cache, picture_rate)
    with progress("reading", "clips") as advance:
        return predict(predictor, packed, chosen, advance), packed, manifest


def learnt_from(training: dict[str, Any], data_sha256: str, split: str) -> str:
    """Why figures of a manifest's split are too good if a model has learnt from clips in it; else nothing.

    Args:
        training: the model's record of how it was trained.
        data_sha256: of the manifest's file.
        split: of `SPLITS`.
    """
    runs = [run for run in _runs(training) if run.get("data", {}).get("manifest_sha256") == data_sha256]
    if (runs and split in LEARNT) or (split == "validation" and any(map(_with_validation, runs))):
        return "the model has learnt from some of the clips that are measured"
    return ""


def _with_validation(run: dict[str, Any]) -> bool:
    """Whether a run of training took the validation split too."""
    return bool(run.get("config", {}).get("data", {}).get("with_validation"))


def _runs(training: dict[str, Any]) -> list[dict[str, Any]]:
    """A model's record, and those of an ensemble's members."""
    return [training, *training.get("members", ())]


def end_if_missing(packed: PackedClips) -> None:
    """End with exit code 1, results being written, where files of the split are missing."""
    if any(why.endswith(NO_FILE) for why in packed.left_out.values()):
        raise typer.Exit(1)


def open_split(
    labels: LabelSet,
    preprocess: Preprocess,
    data: Path,
    split: str,
    faces: str,
    cache: Path | None,
    picture_rate: float,
) -> tuple[list[PackedClip], PackedClips, Manifest]:
    """The clips of a split, the cache that holds them, prepared if need be, and the manifest.

    Of the clips that could not be prepared, the cache names those of the split.

    Raises:
        OptionError: the split is unknown or empty, or holds a label that is not among `labels`, the model's own;
            it is said before anything is prepared.
    """
    from seqfer.datasets.manifest import read_manifest
    from seqfer.datasets.opening import open_clips

    if split not in SPLITS:
        raise OptionError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    records = [record for record in read_manifest(data).records if split in (record.split, "all")]
    found = Counter(record.label for record in records)
    if not found:
        remedy = "--split all takes every clip"
        if split == "validation":
            remedy = "make one, as by seqfer manifest --split subject:70/15/15"
        raise OptionError(f"{data}: no clip is in the split {split}; {remedy}")
    for label, count in found.items():
        if label not in labels.names:
            raise OptionError(
                f"{data}: the label {label!r}, of {counted(count, 'clip')}, is none of the model's "
                f"({', '.join(labels)}); take these clips out of the manifest, or train a model of your own"
            )
    with progress("preparing", "clips") as advance:
        packed, manifest = open_clips(data, preprocess, faces, cache, picture_rate, advance)
    ids = {record.clip_id for record in records}
    packed = replace(packed, left_out={name: why for name, why in packed.left_out.items() if name in ids})
    remark_left_out(packed.left_out)
    return [clip for clip in packed.clips if split in (clip.split, "all")], packed, manifest
