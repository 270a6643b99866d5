"""A timeline's files: tables, one document with everything, a picture; and reading the document back."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from seqfer.errors import OptionError, SeqferError
from seqfer.files import output_folder
from seqfer.labels import LabelSet
from seqfer.timeline.table import BOX, segments_dataframe, to_dataframe
from seqfer.timeline.types import WHAT_IT_SAYS, SegmentOptions, Timeline
from seqfer.video.types import VideoInfo

FORMAT = 1  # of timeline.json; raised when an older reader would misread a newer file
DOCUMENT, PICTURE = "timeline.json", "timeline.png"
# Digits after the point: times to the microsecond, boxes to a tenth of a pixel, shares to 1e-5.
TIME_DIGITS, BOX_DIGITS, SHARE_DIGITS = 6, 1, 5
FILES = {
    "csv": ("frames.csv", "segments.csv"),
    "json": (DOCUMENT,),
    "parquet": ("frames.parquet", "segments.parquet"),
}
# Everything that an annotation may leave in its folder; only these are ever removed from it.
OWN_FILES = (*(name for names in FILES.values() for name in names), PICTURE, "overlay.mp4")


def save(
    timeline: Timeline,
    folder: str | Path,
    formats: tuple[str, ...] = ("csv", "json"),
    overwrite: bool = False,
) -> None:
    """Write a timeline's files and its picture `timeline.png`.

    A new folder appears with all of them at once; in an existing one each file is replaced as a whole.

    Args:
        timeline: what to write.
        folder: made if it is missing.
        formats: of "csv" (`frames.csv`, `segments.csv`), "json" (`timeline.json`, for `load_timeline`), and
            "parquet" (`frames.parquet`, `segments.parquet`).
        overwrite: replace the files of an earlier timeline; other files in the folder are left alone.

    Raises:
        OptionError: a format is unknown.
        OutputError: the folder holds something and `overwrite` is not set, or it cannot be written.
    """
    check_formats(formats)
    with output_folder(Path(folder), overwrite, OWN_FILES) as place:
        write_files(timeline, place, formats)


def check_formats(formats: tuple[str, ...]) -> None:
    """Raise OptionError unless every format is known and there is one."""
    unknown = [name for name in formats if name not in FILES]
    if unknown or not formats:
        named = repr(unknown[0]) if unknown else "none"
        raise OptionError(f"unknown format {named}; known: {', '.join(FILES)}")


def holds_results(folder: Path) -> bool:
    """Whether an annotation was written into this very folder."""
    return (folder / PICTURE).is_file() and any((folder / name).is_file() for name in OWN_FILES if name != PICTURE)


def write_files(timeline: Timeline, folder: Path, formats: tuple[str, ...]) -> None:
    """Write the files of the formats, and the picture, straight into an existing folder."""
    if "csv" in formats or "parquet" in formats:
        frames, segments = _rounded(timeline)
        if "csv" in formats:
            frames.to_csv(folder / "frames.csv", index=False, lineterminator="\n")
            segments.to_csv(folder / "segments.csv", index=False, lineterminator="\n")
        if "parquet" in formats:
            frames.to_parquet(folder / "frames.parquet", index=False)
            segments.to_parquet(folder / "segments.parquet", index=False)
    if "json" in formats:
        # One line per entry: columns of numbers are no better for being a line per number.
        entries = (
            f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"
            for key, value in to_document(timeline).items()
        )
        (folder / DOCUMENT).write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; there is nothing to be done about it here.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        timeline.plot().savefig(folder / PICTURE)


def to_document(timeline: Timeline) -> dict[str, Any]:
    """Everything about a timeline in plain numbers, texts, lists and mappings."""
    video = timeline.video
    return {
        "format": FORMAT,
        "note": WHAT_IT_SAYS,
        "video": {
            **asdict(video),
            "path": str(video.path),
            "frame_rate": None if video.frame_rate is None else str(video.frame_rate),
        },
        **timeline.provenance,
        "labels": list(timeline.label_set),
        "segment_options": asdict(timeline.options),
        "end_s": round(timeline.end_s, TIME_DIGITS),
        "frames": {
            "frame": timeline.frame_index.tolist(),
            "time_s": timeline.frame_time_s.round(TIME_DIGITS).tolist(),
        },
        "faces": {
            "frame": timeline.frame_index[timeline.face_frame].tolist(),
            "track_id": timeline.track_id.tolist(),
            "box": timeline.boxes.round(BOX_DIGITS).tolist(),
            "detection_score": timeline.detection_score.round(SHARE_DIGITS).tolist(),
            "probabilities": timeline.probabilities.round(SHARE_DIGITS).tolist(),
        },
        "segments": [asdict(segment) for segment in timeline.segments()],
    }


def load_timeline(path: str | Path) -> Timeline:
    """The timeline of a `timeline.json`, or of a folder that holds one.

    Raises:
        SeqferError: the file is missing or is no such document.
    """
    path = Path(path)
    try:
        path = path / DOCUMENT if path.is_dir() else path
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise SeqferError(f"{path}: has format {document['format']}; this version reads {FORMAT}")
        return _from_document(document)
    except OSError as error:
        raise SeqferError(f"{path}: cannot be read ({error.strerror})") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise SeqferError(f"{path}: is not a timeline ({error})") from error


def _from_document(document: dict[str, Any]) -> Timeline:
    video, faces, frames = document["video"], document["faces"], document["frames"]
    rate = video["frame_rate"]
    info = VideoInfo(
        **{**video, "path": Path(video["path"]), "frame_rate": None if rate is None else Fraction(rate)}
    )
    labels = LabelSet(tuple(document["labels"]))
    frame_index = np.array(frames["frame"], np.int64)
    known = {"format", "note", "video", "labels", "segment_options", "end_s", "frames", "faces", "segments"}
    return Timeline(
        video=info,
        label_set=labels,
        frame_index=frame_index,
        frame_time_s=np.array(frames["time_s"], np.float64),
        end_s=document["end_s"],
        face_frame=np.searchsorted(frame_index, np.array(faces["frame"], np.int64)),
        track_id=np.array(faces["track_id"], np.int64),
        boxes=np.array(faces["box"], np.float64).reshape(-1, 4),
        detection_score=np.array(faces["detection_score"], np.float64),
        probabilities=np.array(faces["probabilities"], np.float64).reshape(-1, len(labels)),
        options=SegmentOptions(**document["segment_options"]),
        provenance={key: value for key, value in document.items() if key not in known},
    )


def _rounded(timeline: Timeline) -> tuple[Any, Any]:
    frames = to_dataframe(timeline)
    shares = ["detection_score", "confidence", *(f"p_{name}" for name in timeline.label_set)]
    digits = {"time_s": TIME_DIGITS} | dict.fromkeys(BOX, BOX_DIGITS) | dict.fromkeys(shares, SHARE_DIGITS)
    segments = segments_dataframe(timeline.segments())
    times = {"start_s": TIME_DIGITS, "end_s": TIME_DIGITS, "mean_probability": SHARE_DIGITS}
    return frames.round(digits), segments.round(times)
