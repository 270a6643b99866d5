"""The training cache: every clip's face crops in one memory map, and an index of what they are.

A folder with `frames.npy` (N, S, S, C) uint8, `index.parquet` (a row per clip) and `cache.json` (what it was made
from and how, and which clips are missing). `cache.json` is written last: a folder without it is no cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.types import ClipRecord
from seqfer.errors import DatasetError
from seqfer.files import sha256_of, write_whole
from seqfer.preprocess import CropGeometry, Preprocess

FRAMES, INDEX, DESCRIPTION = "frames.npy", "index.parquet", "cache.json"
FORMAT = 4


@dataclass(frozen=True)
class PackedClip:
    """One clip of a cache.

    Attributes:
        clip_id: as in the manifest.
        start: of its frames in the memory map.
        length: number of its frames, at least 1.
        label, subject_id, split, fold: as in the manifest.
        times_s: of its frames, in seconds from the first frame of the video, or of the pictures, that it is from.
        origin: digest of where the clip comes from: its file's name and the part of it, wherever the file lies.
    """

    clip_id: str
    start: int
    length: int
    label: str
    subject_id: str
    split: str
    fold: int | None
    times_s: tuple[float, ...]
    origin: str = ""


@dataclass(frozen=True)
class PackedClips:
    """The clips of a manifest, ready for training.

    Attributes:
        frames: (N, S, S, C) uint8, a memory map.
        clips: in the manifest's order.
        preprocess: which part of a picture the crops show, their size and channels.
        left_out: clips that could not be prepared, with the reason.
        source: digest of the manifest's clips, the files and the settings that the cache was made from.
        frames_sha256: of the file of frames: what a model was trained on, whatever the files were called.
        faces: how faces were found, of `seqfer.faces.types.FACES`.
        picture_rate: pictures per second of clips that are made of pictures.
    """

    frames: NDArray[np.uint8]
    clips: tuple[PackedClip, ...]
    preprocess: Preprocess
    left_out: dict[str, str]
    source: str
    frames_sha256: str
    faces: str = "none"
    picture_rate: float = 25.0

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        return f"PackedClips({len(self)} clips, frames {self.frames.shape})"

    def frames_of(self, clip: PackedClip) -> NDArray[np.uint8]:
        """(T, S, S, C) uint8."""
        return self.frames[clip.start : clip.start + clip.length]


def frame_places(clips: Sequence[PackedClip]) -> NDArray[np.int64]:
    """Positions in the cache of all frames of some clips, at least one, clip after clip."""
    return np.concatenate([np.arange(clip.start, clip.start + clip.length) for clip in clips])


def draw_frames(clips: Sequence[PackedClip], count: int, seed: int) -> NDArray[np.int64]:
    """Positions in the cache of so many frames of some clips, or of all if they have fewer, in random order."""
    return np.random.default_rng(seed).permutation(frame_places(clips))[:count]


def write_packed(
    folder: Path,
    records: Sequence[ClipRecord],
    prepared: Sequence[tuple[Path, int, tuple[float, ...]] | str],
    preprocess: Preprocess,
    source: str,
    faces: str,
    picture_rate: float,
) -> None:
    """Put prepared clips together to a cache.

    Args:
        folder: of the cache; an earlier cache in it is replaced.
        records: the manifest's clips.
        prepared: for each of them the file (T, S, S, C) that holds its frames, where in the file they begin, and
            their times; or why it could not be prepared.
        preprocess: of the crops.
        source: digest of what the cache is made from.
        faces: how faces were found.
        picture_rate: pictures per second of clips that are made of pictures.
    """
    import pandas as pd

    (folder / DESCRIPTION).unlink(missing_ok=True)
    clips: list[PackedClip] = []
    left_out: dict[str, str] = {}
    total = 0
    for record, found in zip(records, prepared, strict=True):
        if isinstance(found, str):
            left_out[record.clip_id] = found
            continue
        times = found[2]
        identity = (record.clip_id, total, len(times), record.label, record.subject_id, record.split, record.fold)
        clips.append(PackedClip(*identity, times, origin_of(record)))
        total += len(times)
    shape = (total, preprocess.size, preprocess.size, preprocess.channels)
    with write_whole(folder / FRAMES) as place:
        done = [found for found in prepared if not isinstance(found, str)]
        parts = (np.load(path, mmap_mode="r")[start : start + len(times)] for path, start, times in done)
        write_array(place, shape, parts)
        digest = sha256_of(place)
    with write_whole(folder / INDEX) as place:
        table = pd.DataFrame([asdict(clip) for clip in clips], columns=list(PackedClip.__dataclass_fields__))
        table.astype({"fold": "Int64"}).to_parquet(place, index=False)
    document = {
        "format": FORMAT,
        "source": source,
        "frames_sha256": digest,
        "faces": faces,
        "picture_rate": picture_rate,
        "preprocess": asdict(preprocess),
        "left_out": left_out,
    }
    with write_whole(folder / DESCRIPTION) as place:
        place.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def write_array(path: Path, shape: tuple[int, ...], parts: Iterable[NDArray[np.uint8]]) -> None:
    """A .npy file of uint8 of that shape: its parts one after the other, from front to back.

    A memory map on a full disk would end the process instead of raising an error.
    """
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for part in parts:
            file.write(part.tobytes())


def read_packed(folder: str | Path) -> PackedClips:
    """Open a cache.

    Raises:
        DatasetError: the folder holds no whole cache.
    """
    from pyarrow.parquet import read_table

    folder = Path(folder)
    try:
        document = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise DatasetError(folder, "was made by another version; prepare it again")
        frames = np.load(folder / FRAMES, mmap_mode="r")
        clips = tuple(_clip(row) for row in read_table(folder / INDEX).to_pylist())
        geometry = CropGeometry(**document["preprocess"].pop("geometry"))
        preprocess = Preprocess(**document["preprocess"], geometry=geometry)
        facts = [document[key] for key in ("left_out", "source", "frames_sha256", "faces", "picture_rate")]
    except FileNotFoundError as error:
        raise DatasetError(folder, "is no prepared cache; run `seqfer prepare`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(folder, f"is damaged ({error}); prepare it again") from error
    if len(frames) != sum(clip.length for clip in clips):
        raise DatasetError(folder, f"is damaged ({FRAMES} and {INDEX} do not fit); prepare it again")
    return PackedClips(frames, clips, preprocess, *facts)


def origin_of(record: ClipRecord) -> str:
    """Names a clip's file and the part of it that it is, the same on every machine."""
    parts = (record.path.name, record.start_s, record.end_s, record.frames)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _clip(row: dict[str, Any]) -> PackedClip:
    return PackedClip(**{**row, "times_s": tuple(row["times_s"])})
