"""Preparing a data set for training: every clip is decoded and its face cut out once, by all cores.

Clips are prepared in pieces of work, each of which becomes a file; a run that was killed finds those and goes on.
Pieces are named by what they are made from, so that changed files or settings are prepared anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.crops import Cropper, CropSettings
from seqfer.datasets.packed import (
    DESCRIPTION,
    FORMAT,
    FRAMES,
    INDEX,
    PackedClips,
    read_packed,
    write_array,
    write_packed,
)
from seqfer.datasets.pictures import is_video
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import DatasetError, OutputError, SeqferError
from seqfer.files import LOCK, PARTIAL, alone_in, write_whole
from seqfer.machine import usable_cores

PARTS = "parts"
PICTURES_AT_ONCE = 256  # in a piece of work
# Likewise of a video, each piece of which is decoded from the video's beginning. A clip of more is a piece alone.
SECONDS_AT_ONCE = 240
FRAMES_AT_ONCE = 25 * SECONDS_AT_ONCE
MOST_PROCESSES = 61  # that Windows can wait for

Progress = Callable[[int, int], None]
States = Sequence[tuple[object, ...] | None]  # of a clip's files
Entry = tuple[Path, int, tuple[float, ...]] | str  # where a clip's crops lie, as `write_packed` takes it


@dataclass(frozen=True)
class Piece:
    """Some clips of a manifest that are prepared together.

    Attributes:
        records: the clips.
        digest: of the clips, the files that they come from, and the settings.
    """

    records: tuple[ClipRecord, ...]
    digest: str


def prepare(
    manifest: Manifest,
    folder: str | Path,
    settings: CropSettings | None = None,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> PackedClips:
    """The cache of a manifest: as it lies in `folder` if it is still true, else made, going on where it stands.

    Args:
        manifest: what to prepare.
        folder: of the cache; made if it is missing.
        settings: how clips become crops.
        workers: processes; as many as there are cores if not given.
        progress: called with the number of clips prepared so far, and of all.

    Raises:
        DatasetError: not a single clip can be prepared.
        OutputError: the folder holds something else, or cannot be written.
    """
    folder, settings = Path(folder), settings or CropSettings()
    settings = replace(settings, preprocess=settings.preprocess.of_crops(settings.faces))
    pieces = list(_pieces(manifest, settings))
    source = hashlib.sha256("".join(piece.digest for piece in pieces).encode()).hexdigest()
    try:
        if found := _still_true(folder, source):
            return found
        described = (folder / DESCRIPTION).is_file()
        if not described and folder.is_dir() and not all(_is_own(path.name) for path in folder.iterdir()):
            raise OutputError(folder, "holds something else than a cache; choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        # Of two runs that begin at once, the second one finds what the first has prepared.
        with alone_in(folder):
            if found := _still_true(folder, source):
                return found
            (folder / PARTS).mkdir(exist_ok=True)
            _prepare_pieces(pieces, folder / PARTS, settings, workers or usable_cores(), progress)
            found_in = {name: entry for piece in pieces for name, entry in _entries(piece, folder / PARTS)}
            prepared = [found_in[record.clip_id] for record in manifest.records]
            if all(isinstance(entry, str) for entry in prepared):
                raise DatasetError(manifest.records[0].path, f"as all clips, cannot be prepared: {prepared[0]}")
            facts = (settings.preprocess, source, settings.faces, settings.picture_rate)
            write_packed(folder, manifest.records, prepared, *facts)
            shutil.rmtree(folder / PARTS)
    except BrokenProcessPool as error:
        raise DatasetError(
            folder,
            "a process that prepared clips has ended (out of memory, or, in a script of your own, no "
            "`if __name__ == '__main__':` around its code)",
        ) from error
    except OSError as error:
        raise OutputError(folder, f"cannot be written ({error.strerror or error})") from error
    return read_packed(folder)


def _still_true(folder: Path, source: str) -> PackedClips | None:
    """The cache that lies in a folder; None if there is none, or it is damaged or made from something else."""
    if not (folder / DESCRIPTION).is_file():
        return None
    with suppress(DatasetError):
        packed = read_packed(folder)
        if packed.source == source:
            return packed
    return None


def _is_own(name: str) -> bool:
    """Whether a file is one that a run leaves that was killed before it was done."""
    return name in (PARTS, FRAMES, INDEX, DESCRIPTION, LOCK) or (name.startswith(".") and PARTIAL in name)


def _pieces(manifest: Manifest, settings: CropSettings) -> Iterator[Piece]:
    """Clips of pictures in the manifest's order; parts of one video in the order of time."""
    pictures = [record for record in manifest.records if not is_video(record)]
    videos: dict[Path, list[ClipRecord]] = defaultdict(list)
    for record in manifest.records:
        if is_video(record):
            videos[record.path].append(record)
    for records in [pictures, *(sorted(parts, key=_beginning) for parts in videos.values())]:
        waiting: list[tuple[ClipRecord, States]] = []
        share = 0.0
        for record in records:
            states = _states(record)
            waiting.append((record, states))
            share += _share(record, states)
            if share >= 1:
                yield _piece(waiting, settings)
                waiting, share = [], 0.0
        if waiting:
            yield _piece(waiting, settings)


def _beginning(record: ClipRecord) -> tuple[float, int]:
    numbers = [int(name) for name in record.frames if name.isdecimal()]
    return record.start_s, min(numbers, default=0)


def _share(record: ClipRecord, states: States) -> float:
    """How much of a piece of work a clip is."""
    if not is_video(record):
        return len(states) / PICTURES_AT_ONCE
    if record.frames:
        return len(record.frames) / FRAMES_AT_ONCE
    return 1 if record.end_s is None else (record.end_s - record.start_s) / SECONDS_AT_ONCE


def _piece(clips: Sequence[tuple[ClipRecord, States]], settings: CropSettings) -> Piece:
    made_from = [FORMAT, asdict(settings), [[*asdict(record).values(), *states] for record, states in clips]]
    digest = hashlib.sha256(json.dumps(made_from, default=str).encode()).hexdigest()
    return Piece(tuple(record for record, _ in clips), digest)


def _states(record: ClipRecord) -> States:
    """Size and time of change of a clip's files, and their names in a folder; None where there is nothing.

    A folder's own time does not change when a picture in it is overwritten.
    """
    path = record.path
    try:
        if not path.is_dir():
            return [_state(path.stat())]
        if record.frames:
            return [_state((path / name).stat()) for name in record.frames]
        with os.scandir(path) as entries:
            return sorted((entry.name, *_state(entry.stat())) for entry in entries)
    except OSError:
        return [None]


def _state(found: os.stat_result) -> tuple[object, ...]:
    return found.st_size, found.st_mtime_ns


def _prepare_pieces(
    pieces: Sequence[Piece], parts: Path, settings: CropSettings, workers: int, progress: Progress
) -> None:
    total = sum(len(piece.records) for piece in pieces)
    missing = [piece for piece in pieces if not _description(piece, parts).is_file()]
    done = total - sum(len(piece.records) for piece in missing)
    progress(done, total)
    if not missing:
        return
    # Forked processes would inherit threads' locks; new ones start clean.
    processes = min(workers, len(missing), MOST_PROCESSES)
    with ProcessPoolExecutor(processes, get_context("spawn"), _single_threaded) as pool:
        running = {pool.submit(_prepare_piece, piece, parts, settings): piece for piece in missing}
        try:
            for finished in as_completed(running):
                finished.result()
                done += len(running[finished].records)
                progress(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _single_threaded() -> None:
    cv2.setNumThreads(1)


def _prepare_piece(piece: Piece, parts: Path, settings: CropSettings) -> None:
    """Write a piece's crops, one file for all of its clips, then what they are."""
    crops: list[NDArray[np.uint8]] = []
    entries: list[dict[str, Any]] = []
    start = 0
    with Cropper(settings) as cropper:
        for record in piece.records:
            try:
                frames, times = cropper.crops_of(record)
            except SeqferError as error:
                entries.append({"problem": str(error)})
                continue
            entries.append({"start": start, "times_s": times})
            crops.append(frames)
            start += len(frames)
    if crops:
        with write_whole(_frames(piece, parts)) as place:
            write_array(place, (start, *crops[0].shape[1:]), crops)
    with write_whole(_description(piece, parts)) as place:
        place.write_text(json.dumps(entries), encoding="utf-8")


def _entries(piece: Piece, parts: Path) -> Iterator[tuple[str, Entry]]:
    """The names of a piece's clips, with what became of each."""
    entries = json.loads(_description(piece, parts).read_text(encoding="utf-8"))
    for record, entry in zip(piece.records, entries, strict=True):
        if "problem" in entry:
            yield record.clip_id, entry["problem"]
        else:
            yield record.clip_id, (_frames(piece, parts), entry["start"], tuple(entry["times_s"]))


def _frames(piece: Piece, parts: Path) -> Path:
    return parts / f"{piece.digest}.npy"


def _description(piece: Piece, parts: Path) -> Path:
    return parts / f"{piece.digest}.json"
