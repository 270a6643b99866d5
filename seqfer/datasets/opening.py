"""From a manifest's file to its prepared clips: a cache that is at hand, or one that is made now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from seqfer.datasets.manifest import read_manifest
from seqfer.datasets.packed import DESCRIPTION, PackedClips, origin_of, read_packed
from seqfer.datasets.types import Manifest
from seqfer.errors import DatasetError
from seqfer.preprocess import CropGeometry, Preprocess

PICTURE_RATE = 25.0  # pictures per second of clips that are made of pictures


def open_clips(
    data: str | Path,
    preprocess: Preprocess,
    faces: str = "mediapipe",
    cache: str | Path | None = None,
    picture_rate: float = PICTURE_RATE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[PackedClips, Manifest]:
    """The clips of a manifest as face crops, and the manifest.

    A cache that is named and whole is taken as it is, so that a machine without the videos can train and
    evaluate; labels, subjects and splits are those of the manifest. Otherwise clips are prepared that are not yet.

    Args:
        data: the manifest's file.
        preprocess: size, channels and framing of the crops.
        faces: how faces are found, of `seqfer.faces.types.FACES`.
        cache: folder of the crops; one beside the manifest if not given.
        picture_rate: pictures per second of clips that are made of pictures.
        progress: called with the number of clips prepared so far, and of all.

    Raises:
        DatasetError: the manifest or the cache cannot be read, or they do not match.
        OutputError: the cache cannot be written.
    """
    data = Path(data)
    manifest = read_manifest(data)
    if cache is not None and (Path(cache) / DESCRIPTION).is_file():
        packed = read_packed(cache)
        have, want = (packed.faces, packed.picture_rate), (faces, picture_rate)
        if have != want:
            said = "faces {} and {:g} pictures per second"
            raise DatasetError(
                cache, f"was made with {said.format(*have)}, not {said.format(*want)}; choose another cache"
            )
        return _fitted(packed, Path(cache), manifest, data, preprocess), manifest
    from seqfer.datasets.crops import CropSettings
    from seqfer.datasets.prepare import prepare

    rate = "" if picture_rate == PICTURE_RATE else f"-{picture_rate:g}fps"
    grey = "" if preprocess.grey == "bt601" else f"-{preprocess.grey}"
    framing = _framing(preprocess.of_crops(faces).geometry)
    kind = f"{faces}-{preprocess.size}x{preprocess.channels}{grey}{framing}{rate}"
    beside = data.with_name(f"{data.stem}.cache-{kind}")
    settings = CropSettings(preprocess, faces, picture_rate)
    return prepare(manifest, cache or beside, settings, progress=progress), manifest


def _framing(geometry: CropGeometry) -> str:
    """What a cache's name says of crops that are framed in another way than usual."""
    if geometry == CropGeometry():
        return ""
    return f"-margin{geometry.margin:g}-up{geometry.shift_up:g}{'' if geometry.align else '-unaligned'}"


def _fitted(
    packed: PackedClips, folder: Path, manifest: Manifest, data: Path, preprocess: Preprocess
) -> PackedClips:
    """A cache with the labels, subjects and splits of a manifest, whose clips it must hold."""
    remedy = "name no cache, and the clips are prepared beside the manifest"
    if packed.preprocess != preprocess.of_crops(packed.faces):
        have, want = ((p.size, p.channels) for p in (packed.preprocess, preprocess))
        what = "framed, or made grey, in another way" if have == want else "{0} x {0} x {1}".format(*have)
        wanted = "{0} x {0} x {1}".format(*want)
        raise DatasetError(folder, f"its crops are {what}; the model reads {wanted}; choose another cache")
    known = {clip.clip_id: clip for clip in packed.clips}
    clips = []
    for record in manifest.records:
        if record.clip_id in packed.left_out:
            continue
        if record.clip_id not in known:
            raise DatasetError(
                folder, f"does not match {data.name}: clip {record.clip_id!r} is not in it; {remedy}"
            )
        if known[record.clip_id].origin != origin_of(record):
            raise DatasetError(
                folder, f"does not match {data.name}: clip {record.clip_id!r} comes from elsewhere; {remedy}"
            )
        clips.append(
            replace(
                known[record.clip_id],
                label=record.label,
                subject_id=record.subject_id,
                split=record.split,
                fold=record.fold,
            )
        )
    ids = {record.clip_id for record in manifest.records}
    left_out = {clip_id: why for clip_id, why in packed.left_out.items() if clip_id in ids}
    return replace(packed, clips=tuple(clips), left_out=left_out)
