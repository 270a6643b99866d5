"""The layouts by name, and reading a folder by one of them."""

from __future__ import annotations

from pathlib import Path

from seqfer.datasets.layouts.class_folders import read_folder
from seqfer.datasets.layouts.cohn_kanade import read_ckplus, read_ckplus48
from seqfer.datasets.layouts.fer2013 import read_fer2013
from seqfer.datasets.layouts.found import Found, LayoutOptions, Reader
from seqfer.datasets.layouts.named_files import read_crema_d, read_jaffe, read_liris_cse, read_ravdess
from seqfer.datasets.pictures import is_video, picture_files
from seqfer.datasets.types import ClipRecord
from seqfer.errors import NO_FILE, DatasetError, OptionError, VideoError
from seqfer.video.opening import open_video
from seqfer.video.stills import DEFAULT_RATE

LAYOUTS: dict[str, Reader] = {
    "liris-cse": read_liris_cse,
    "folder": read_folder,
    "fer2013": read_fer2013,
    "ckplus": read_ckplus,
    "ckplus48": read_ckplus48,
    "jaffe": read_jaffe,
    "ravdess": read_ravdess,
    "crema-d": read_crema_d,
}


def read_layout(kind: str, root: str | Path, options: LayoutOptions | None = None) -> Found:
    """The clips of a data set on disk.

    Args:
        kind: of `LAYOUTS`.
        root: the data set's folder; for "fer2013" also its CSV file.
        options: what the layout leaves open.

    Raises:
        OptionError: the kind is unknown.
        DatasetError: the root is no such folder, or holds not a single clip of the kind.
    """
    if kind not in LAYOUTS:
        raise OptionError(f"unknown kind of data set {kind!r}; known: {', '.join(LAYOUTS)}")
    root = Path(root)
    if not root.exists():
        raise DatasetError(root, NO_FILE)
    if not root.is_dir() and not (kind == "fer2013" and root.suffix.lower() == ".csv"):
        packed = root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
        raise DatasetError(root, "is an archive; unpack it, and give the folder" if packed else "is not a folder")
    try:
        found = LAYOUTS[kind](root, options or LayoutOptions())
    except OSError as error:
        raise DatasetError(error.filename or root, f"cannot be read ({error.strerror})") from error
    if not found.records:
        path, why = found.left_out[0] if found.left_out else (None, "")
        example = f"; {path.name} {why}" if path else ""
        raise DatasetError(root, f"holds no clip of a {kind} data set{example}")
    return found


def with_lengths(found: Found) -> tuple[Found, dict[str, float]]:
    """The same without videos that cannot be opened, and the seconds of each clip; single pictures last 0 s."""
    result = Found(left_out=list(found.left_out))
    seconds: dict[str, float] = {}
    for record in found.records:
        try:
            seconds[record.clip_id] = _length_s(record)
            result.records.append(record)
        except VideoError as error:
            result.leave_out(record.path, error.problem)
    return result, seconds


def _length_s(record: ClipRecord) -> float:
    """Raises VideoError if the clip is a video that cannot be opened."""
    if record.frames or not is_video(record):
        count = len(picture_files(record))
        return count / float(DEFAULT_RATE) if count > 1 else 0.0
    with open_video(record.path) as stream:
        end_s = record.end_s or stream.info.duration_s or 0.0
    return max(0.0, end_s - record.start_s)
